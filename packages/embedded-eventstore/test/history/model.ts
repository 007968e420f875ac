// EventStoreDB's rules for one stream, implemented a second time without regard to speed.
import { type Event, type Expected, metastreamOf, type Outcome, type Request, softDeleted } from './history.ts'

export type Stream = {
  readonly events: readonly Event[]
  readonly hasMetadata: boolean
  readonly isSoftDeleted: boolean
  readonly isTombstoned: boolean
  /** The first readable revision. */
  readonly first: bigint
}

const tombstone = '$streamDeleted'

/** The stream after the first events of the log. */
export const streamAfter = (log: readonly Event[], name: string): Stream => {
  const metastream = metastreamOf(name)
  const own = log.filter(({ stream }) => stream === name)
  const metadata = log.filter(({ stream }) => stream === metastream).at(-1)
  const truncateBefore = metadata?.truncateBefore ?? 0n
  const events = own.filter(({ type }) => type !== tombstone)
  const counted = metadata?.maxCount === undefined ? 0n : BigInt(events.length) - metadata.maxCount
  return {
    events,
    hasMetadata: metadata !== undefined,
    isSoftDeleted: truncateBefore === softDeleted,
    isTombstoned: own.some(({ type }) => type === tombstone),
    first: counted > truncateBefore ? counted : truncateBefore,
  }
}

type Answer =
  | { kind: 'written' }
  | { kind: 'repeated'; revision: bigint; position: bigint }
  | { kind: 'wrong expected version'; actual: bigint }
  | { kind: 'stream deleted' }

const repeatedAs = (last: Event): Answer => ({
  kind: 'repeated',
  revision: last.revision,
  position: last.position,
})

/** The answer of the rules to an append of these IDs. */
export const checked = (stream: Stream, expected: Expected, ids: readonly string[]): Answer => {
  const current = BigInt(stream.events.length) - 1n
  const wrong: Answer = { kind: 'wrong expected version', actual: current }
  if (stream.isTombstoned) return { kind: 'stream deleted' }
  if (expected === 'stream_exists') {
    if (stream.isSoftDeleted) return { kind: 'stream deleted' }
    if (current < 0n && !stream.hasMetadata) return wrong
  }
  if (expected === 'any' || expected === 'stream_exists') {
    const found = ids.map((id) => stream.events.findLast((event) => event.id === id))
    if (found[0] === undefined) return { kind: 'written' }
    const last = found.at(-1)
    return last && !found.includes(undefined) ? repeatedAs(last) : wrong
  }
  const revision = expected === 'no_stream' ? -1n : expected
  if (revision > current) return wrong
  if (revision === current) return { kind: 'written' }
  const following = stream.events.slice(Number(revision) + 1, Number(revision) + 1 + ids.length)
  const differs = ids.findIndex((id, index) => following[index]?.id !== id)
  if (differs === 0 && revision === -1n && stream.isSoftDeleted) return { kind: 'written' }
  const last = following.at(-1)
  return differs === -1 && last ? repeatedAs(last) : wrong
}

const readable = (stream: Stream): readonly Event[] => stream.events.filter(({ revision }) => revision >= stream.first)

const same = (one: readonly Event[], other: readonly Event[]): boolean =>
  one.length === other.length &&
  one.every(({ position, id }, at) => position === other[at]?.position && id === other[at].id)

const isReadAs = (stream: Stream, request: Request & { kind: 'read' }, outcome: Outcome): boolean => {
  if (stream.isTombstoned) return outcome.kind === 'stream deleted'
  if (stream.events.length === 0 || stream.isSoftDeleted) return outcome.kind === 'stream not found'
  if (outcome.kind !== 'events') return false
  const { forwards, from, count } = request
  const all = readable(stream)
  const found = forwards
    ? all.filter(({ revision }) => revision >= from)
    : all.filter(({ revision }) => revision <= from).reverse()
  return same(found.slice(0, count), outcome.events)
}

const unseen = 'an id that nobody has seen'

/** True when the operation could have had its outcome after exactly the first `length` events of the log. */
export const isExplained = (
  log: readonly Event[],
  length: number,
  name: string,
  request: Request,
  outcome: Outcome,
): boolean => {
  const before = log.slice(0, length)
  if (request.kind === 'read $all') {
    const found = before.filter(({ position }) => position > request.after).slice(0, request.count)
    return outcome.kind === 'events' && same(found, outcome.events)
  }
  const stream = streamAfter(before, name)
  if (request.kind === 'read') return isReadAs(stream, request, outcome)
  if (request.kind === 'set metadata') {
    if (stream.isTombstoned || outcome.kind !== 'success')
      return stream.isTombstoned && outcome.kind === 'stream deleted'
    const { position, truncateBefore, maxCount, stream: of } = log[length] ?? {}
    const isIt = of === metastreamOf(name) && position === outcome.position
    return isIt && truncateBefore === request.truncateBefore && maxCount === request.maxCount
  }
  const answer = checked(stream, request.expected, request.kind === 'append' ? request.ids : [unseen])
  if (outcome.kind !== 'success') {
    const isNothingToDelete =
      request.kind === 'delete' && answer.kind === 'written' && stream.events.length === 0 && !stream.hasMetadata
    if (isNothingToDelete) return outcome.kind === 'wrong expected version' && outcome.actual === -1n
    if (answer.kind === 'stream deleted') return outcome.kind === 'stream deleted'
    if (answer.kind !== 'wrong expected version' || outcome.kind !== 'wrong expected version') return false
    return outcome.actual === answer.actual
  }
  if (answer.kind === 'repeated') return outcome.revision === answer.revision && outcome.position === answer.position
  if (answer.kind !== 'written') return false
  // It was written at this point: the next events of the log are its own.
  const written = request.kind === 'append' ? request.ids.length : 1
  const last = log[length + written - 1]
  if (last?.position !== outcome.position) return false
  if (request.kind === 'append') return last.stream === name && last.revision === outcome.revision
  if (request.kind === 'tombstone') return last.stream === name && last.type === tombstone
  return last.stream === metastreamOf(name) && last.truncateBefore === softDeleted
}
