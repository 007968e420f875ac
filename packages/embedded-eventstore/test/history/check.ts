// Finds violations in a recorded history: one common order must explain all outcomes.
import { type Event, type History, type Live, metastreamOf, type Operation, show, softDeleted } from './history.ts'
import { checked, isExplained, streamAfter } from './model.ts'

export type Fault = 'reordered' | 'gap' | 'doubled' | 'lost' | 'torn' | 'refused but written' | 'wrong answer'
export type Violation = { readonly fault: Fault; readonly what: string }

const tombstone = '$streamDeleted'

/** Positions must increase; revisions of a stream begin at 0 without gaps. */
const checkLog = (log: readonly Event[]): Violation[] => {
  const found: Violation[] = []
  const next = new Map<string, bigint>()
  let before: Event | undefined
  for (const event of log) {
    const { stream, revision, position, type } = event
    const wanted = next.get(stream) ?? 0n
    if (before && position === before.position) found.push({ fault: 'doubled', what: `position ${position} of $all` })
    else if (before && position < before.position)
      found.push({ fault: 'reordered', what: `position ${position} of $all` })
    if (type !== tombstone && revision !== wanted) {
      const fault = revision > wanted ? 'gap' : 'doubled'
      found.push({ fault, what: `revision ${revision} of ${stream} stands where ${wanted} belongs` })
    }
    next.set(stream, revision + 1n)
    before = event
  }
  return found
}

type Block = { readonly append: number; readonly start: number; readonly end: number }

/** The appends in the log, each complete. */
const blocksOf = (log: readonly Event[]): { blocks: Block[]; torn: Violation[] } => {
  const blocks: Block[] = []
  const torn: Violation[] = []
  for (let at = 0; at < log.length; ) {
    const part = log[at]?.part
    if (!part) {
      at++
      continue
    }
    let end = at + 1
    while (end < log.length && log[end]?.part?.append === part.append && log[end]?.part?.index === end - at) end++
    if (part.index !== 0 || end - at !== part.of) {
      torn.push({
        fault: 'torn',
        what: `${end - at} of ${part.of} events of append ${part.append}, from ${part.index}`,
      })
    }
    blocks.push({ append: part.append, start: at, end })
    at = end
  }
  return { blocks, torn }
}

/** Every block must come from a successful append or one with an unknown outcome, exactly once. */
const checkBlocks = ({ operations, log }: History, blocks: readonly Block[]): Violation[] => {
  const found: Violation[] = []
  for (const append of new Set(blocks.map((block) => block.append))) {
    const written = blocks.filter((block) => block.append === append)
    const sent = operations.filter(({ request }) => request.kind === 'append' && request.append === append)
    const unknown = sent.filter(({ outcome }) => outcome.kind === 'unknown')
    const unexplained = written.filter(
      ({ end }) =>
        !sent.some(({ outcome }) => outcome.kind === 'success' && outcome.position === log[end - 1]?.position),
    )
    if (unexplained.length <= unknown.length) continue
    const isRefused = sent.every(({ outcome }) => outcome.kind !== 'success' && outcome.kind !== 'unknown')
    found.push({
      fault: isRefused ? 'refused but written' : 'doubled',
      what: `append ${append}: ${written.length} times`,
    })
  }
  return found
}

/** An unanswered append may have been written only where the rules allow it. */
const checkUnanswered = ({ operations, log }: History, blocks: readonly Block[]): Violation[] =>
  blocks.flatMap(({ append, start, end }): Violation[] => {
    const sent = operations.filter(({ request }) => request.kind === 'append' && request.append === append)
    const isAllowed = sent.some(({ stream, request, outcome }) => {
      if (request.kind !== 'append' || (outcome.kind !== 'unknown' && outcome.kind !== 'success')) return false
      return checked(streamAfter(log.slice(0, start), stream), request.expected, request.ids).kind === 'written'
    })
    const isRefused = sent.every(({ outcome }) => outcome.kind !== 'success' && outcome.kind !== 'unknown')
    const what = `append ${append} at position ${log[end - 1]?.position}, against what it expected`
    return isAllowed || isRefused ? [] : [{ fault: 'wrong answer', what }]
  })

/** Every deletion in the log must have been requested. */
const checkDeletions = ({ operations, log }: History): Violation[] => {
  const found: Violation[] = []
  for (const stream of new Set(operations.map((operation) => operation.stream))) {
    for (const kind of ['delete', 'tombstone'] as const) {
      const asked = operations.filter(({ request, stream: of }) => request.kind === kind && of === stream)
      const isDeletion = (event: Event) =>
        kind === 'tombstone'
          ? event.stream === stream && event.type === tombstone
          : event.stream === metastreamOf(stream) && event.truncateBefore === softDeleted
      const unexplained = log
        .filter(isDeletion)
        .filter(({ position }) => !asked.some(({ outcome: o }) => o.kind === 'success' && o.position === position))
      if (unexplained.length > asked.filter(({ outcome }) => outcome.kind === 'unknown').length) {
        found.push({ fault: 'refused but written', what: `${kind} of ${stream}` })
      }
    }
  }
  return found
}

/**
 * The possible lengths of the log at the moment of an operation: at least all writes known before it began, at most all
 * writes that began before it ended. So the order of `$all` must be the real order.
 */
const windowsOf = ({ operations, log }: History, blocks: readonly Block[]) => {
  const placeAfter = new Map(log.map(({ position }, at) => [position, at + 1]))
  const known = operations.map(({ outcome, ended }) => {
    const positions =
      outcome.kind === 'success'
        ? [outcome.position]
        : outcome.kind === 'events'
          ? outcome.events.map((e) => e.position)
          : []
    return { ended, length: Math.max(0, ...positions.map((position) => placeAfter.get(position) ?? 0)) }
  })
  const begins = blocks.map(({ append, start }) => ({
    start,
    began: Math.min(
      ...operations.flatMap(({ request, began }) =>
        request.kind === 'append' && request.append === append ? [began] : [],
      ),
    ),
  }))
  return ({ began, ended }: Operation) => ({
    min: known.reduce((min, one) => (one.ended < began ? Math.max(min, one.length) : min), 0),
    max: begins.reduce((max, one) => (one.began > ended ? Math.min(max, one.start) : max), log.length),
  })
}

const checkOperations = (history: History, blocks: readonly Block[]): Violation[] => {
  const { operations, log } = history
  const windowOf = windowsOf(history, blocks)
  const positions = new Set(log.map(({ position }) => position))
  return operations.flatMap((operation): Violation[] => {
    const { outcome, request, stream } = operation
    if (outcome.kind === 'unknown') return []
    if (outcome.kind === 'success' && !positions.has(outcome.position)) {
      return [{ fault: 'lost', what: `acknowledged: ${show(operation)}` }]
    }
    const { min, max } = windowOf(operation)
    if (min > max) return [{ fault: 'reordered', what: `later things come first: ${show(operation)}` }]
    for (let length = min; length <= max; length++) {
      if (isExplained(log, length, stream, request, outcome)) return []
    }
    const isElsewhere = log.some((_, length) => isExplained(log, length, stream, request, outcome))
    const fault = isElsewhere ? 'reordered' : 'wrong answer'
    return [{ fault, what: `at no length of the log from ${min} to ${max}: ${show(operation)}` }]
  })
}

/** True when the event was hidden from readers at some later time. */
const wasHidden = (log: readonly Event[], { stream, position, revision }: Event): boolean =>
  log.some((later, at) => {
    const isOfStream = later.stream === stream || later.stream === metastreamOf(stream)
    return isOfStream && later.position >= position && streamAfter(log.slice(0, at + 1), stream).first > revision
  })

/**
 * Every subscriber must see all events in order, once. Events hidden by retention or a deletion may be missing while it
 * catches up, but not once it was live, until its connection is cut.
 */
const checkSubscriptions = ({ operations, subscriptions, log }: History): Violation[] =>
  subscriptions.flatMap(({ name, stream, seen, lives }): Violation[] => {
    const all = stream === undefined ? log : log.filter((event) => event.stream === stream)
    /** @param next number of events seen before it */
    const cameLive = ({ part }: Event, next: number): boolean => {
      const began = operations
        .filter(({ request }) => request.kind === 'append' && request.append === part?.append)
        .map((operation) => operation.began)
      const isWithin = ({ since, until, seenUntil }: Live) =>
        next < seenUntil && began.every((place) => place > since && place < until)
      return began.length > 0 && lives.some(isWithin)
    }
    const mayBeMissing = (event: Event, next: number): boolean =>
      stream !== undefined && !cameLive(event, next) && wasHidden(log, event)
    const places = new Map(all.map(({ position }, at) => [position, at]))
    let next = 0
    for (const [index, event] of seen.entries()) {
      const at = places.get(event.position)
      if (at === undefined)
        return [{ fault: 'lost', what: `${name} saw ${event.position}, which is not there any more` }]
      if (all[at]?.id !== event.id)
        return [{ fault: 'wrong answer', what: `${name} saw another event at ${event.position}` }]
      if (at < next) {
        const isAgain = seen.filter(({ position }) => position === event.position).length > 1
        return [{ fault: isAgain ? 'doubled' : 'reordered', what: `${name} saw ${event.position} after later ones` }]
      }
      const missing = all.slice(next, at).find((each) => !mayBeMissing(each, index))
      if (missing) {
        const isLater = seen.some(({ position }) => position === missing.position)
        return [
          {
            fault: isLater ? 'reordered' : 'gap',
            what: `${name} did not see ${missing.position} before ${event.position}`,
          },
        ]
      }
      next = at + 1
    }
    const missing = all.slice(next).find((each) => !mayBeMissing(each, seen.length))
    return missing ? [{ fault: 'gap', what: `${name} never saw ${missing.position}` }] : []
  })

/** @returns the violations; none when every outcome can be explained. */
export const check = (history: History): readonly Violation[] => {
  const { blocks, torn } = blocksOf(history.log)
  return [
    ...checkLog(history.log),
    ...torn,
    ...checkBlocks(history, blocks),
    ...checkUnanswered(history, blocks),
    ...checkDeletions(history),
    ...checkOperations(history, blocks),
    ...checkSubscriptions(history),
  ]
}
