// Tests of the history checker: a correct history passes, and every corruption is reported.
import { beforeAll, describe, expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { check, type Fault } from './history/check.ts'
import { type Event, type History, metastreamOf, type Operation } from './history/history.ts'
import { record } from './history/record.ts'

const seed = 7
const operations = 120

let history: History
beforeAll(async () => {
  const store = await start({ memory: true })
  const serve = async () => ({ connectionString: store.connectionString, kill: undefined })
  history = await record({ seed, serve, kills: 0, operations, workers: 1 })
  await store.stop()
})

type Corrupt = (history: History) => History

const withLog =
  (change: (log: Event[], history: History) => readonly Event[]): Corrupt =>
  (given) => ({ ...given, log: change([...given.log], given) })

const withSeen =
  (name: string, change: (seen: Event[]) => readonly Event[]): Corrupt =>
  (given) => ({
    ...given,
    subscriptions: given.subscriptions.map((one) =>
      one.name === name ? { ...one, seen: change([...one.seen]) } : one,
    ),
  })

/** Changes the first operation to which `change` applies. */
const withOperation =
  (change: (operation: Operation) => Operation | undefined): Corrupt =>
  (given) => {
    const found = given.operations.find((operation) => change(operation))
    if (!found) throw new Error('There is no such operation.')
    const changed = given.operations.map((one) => (one === found ? (change(one) as Operation) : one))
    return { ...given, operations: changed }
  }

const swapped = (events: Event[]): Event[] => {
  const [one, other] = events.splice(10, 2) as [Event, Event]
  events.splice(10, 0, other, one)
  return events
}
const partOf = (event: Event) => event.part ?? { append: -1, index: -1, of: -1 }
const lastAppended = (log: readonly Event[]) => log.findLastIndex(({ part }) => part !== undefined)
const lastOfMany = (log: readonly Event[]) => log.findLastIndex((event) => partOf(event).of > 1)
const moved = (log: Event[], from: number, to: number): Event[] => {
  const [event] = log.splice(from, 1) as [Event]
  log.splice(to, 0, event)
  const positions = log.map(({ position }) => position).sort((one, other) => Number(one - other))
  return log.map((each, at) => ({ ...each, position: positions[at] as bigint }))
}

const corruptions: readonly [what: string, fault: Fault, corrupt: Corrupt][] = [
  ['an acknowledged append is not there', 'lost', withLog((log) => log.slice(0, -1))],
  ['what a subscriber saw is not there', 'lost', withLog((log) => log.toSpliced(-1, 1))],
  [
    'a revision is left out',
    'gap',
    withLog((log) => log.map((e, at) => (at === log.length - 1 ? { ...e, revision: e.revision + 1n } : e))),
  ],
  [
    'a revision is given twice',
    'doubled',
    withLog((log) => log.map((e, at) => (at === log.length - 1 ? { ...e, revision: e.revision - 1n } : e))),
  ],
  ['a position is given twice', 'doubled', withLog((log) => [...log, log.at(-1) as Event])],
  [
    'an append is written twice',
    'doubled',
    withLog((log) => {
      const again = log.findLast((event) => partOf(event).of === 1) as Event
      const head = log.findLast(({ stream }) => stream === again.stream) as Event
      const last = log.at(-1) as Event
      return [...log, { ...again, position: last.position + 1n, revision: head.revision + 1n }]
    }),
  ],
  ['$all goes back', 'reordered', withLog(swapped)],
  ['what was written last stands first', 'reordered', withLog((log) => moved(log, lastAppended(log), 0))],
  ['an append is there in part', 'torn', withLog((log) => log.toSpliced(lastOfMany(log), 1))],
  [
    'an append that was refused is there',
    'refused but written',
    (given) => {
      const refused = given.log.find((event) => event.part)?.part?.append
      const outcome = { kind: 'wrong expected version', actual: -1n } as const
      const changed = given.operations.map((operation) =>
        operation.request.kind === 'append' && operation.request.append === refused
          ? { ...operation, outcome }
          : operation,
      )
      return { ...given, operations: changed }
    },
  ],
  [
    'an append that nobody answered is there against what it expected',
    'wrong answer',
    (given) => {
      const append = given.log[lastAppended(given.log)]?.part?.append
      const changed = given.operations.map((operation): Operation => {
        const { request } = operation
        if (request.kind !== 'append' || request.append !== append) return operation
        const outcome = { kind: 'unknown', reason: 'cut' } as const
        return { ...operation, request: { ...request, expected: 1_000n }, outcome }
      })
      return { ...given, operations: changed }
    },
  ],
  [
    'a stream that nobody deleted is deleted',
    'refused but written',
    (given) => ({ ...given, operations: given.operations.filter(({ request }) => request.kind !== 'delete') }),
  ],
  [
    'an append is told another revision',
    'wrong answer',
    withOperation((operation) => {
      const { outcome, request } = operation
      if (outcome.kind !== 'success' || request.kind !== 'append') return undefined
      return { ...operation, outcome: { ...outcome, revision: outcome.revision + 1n } }
    }),
  ],
  [
    'a refused append is told another revision',
    'wrong answer',
    withOperation((operation) => {
      const { outcome } = operation
      return outcome.kind === 'wrong expected version'
        ? { ...operation, outcome: { ...outcome, actual: outcome.actual + 500n } }
        : undefined
    }),
  ],
  [
    'an append that the rules allow is refused',
    'wrong answer',
    withOperation((operation) => {
      const { request } = operation
      if (request.kind !== 'append' || request.expected !== 'any' || operation.outcome.kind !== 'success')
        return undefined
      return { ...operation, outcome: { kind: 'wrong expected version', actual: operation.outcome.revision } }
    }),
  ],
  [
    'a read leaves one out',
    'wrong answer',
    withOperation((operation) => {
      const { outcome } = operation
      if (outcome.kind !== 'events' || outcome.events.length < 3) return undefined
      return { ...operation, outcome: { kind: 'events', events: outcome.events.toSpliced(1, 1) } }
    }),
  ],
  [
    'a read does not find what was acknowledged before it began',
    'reordered',
    withOperation((operation) => {
      const { outcome, request } = operation
      if (outcome.kind !== 'events' || request.kind !== 'read $all' || outcome.events.length < 3) return undefined
      return { ...operation, outcome: { kind: 'events', events: outcome.events.slice(0, 1) } }
    }),
  ],
  ['a subscriber is not told one', 'gap', withSeen('$all', (seen) => seen.toSpliced(20, 1))],
  [
    'a live subscriber misses one that readers do not see any more',
    'gap',
    (given) => {
      const isHidden = ({ stream, position, revision }: Event) =>
        given.log.some(
          (later) =>
            later.stream === metastreamOf(stream) &&
            later.position > position &&
            (later.truncateBefore ?? 0n) > revision,
        )
      const subscriptions = given.subscriptions.map((one) => {
        const at = one.stream === undefined ? -1 : one.seen.findIndex(isHidden)
        return at < 0 ? one : { ...one, seen: one.seen.toSpliced(at, 1) }
      })
      return { ...given, subscriptions }
    },
  ],
  ['a subscriber is not told the last', 'gap', withSeen('$all', (seen) => seen.slice(0, -1))],
  [
    'a subscriber is told one twice',
    'doubled',
    withSeen('$all, filtered', (seen) => seen.toSpliced(20, 0, seen[20] as Event)),
  ],
  ['a subscriber is told later ones first', 'reordered', withSeen('$all', swapped)],
  [
    'a subscriber is told of another event',
    'wrong answer',
    withSeen('$all', (seen) => seen.map((event, at) => (at === 5 ? { ...event, id: 'another' } : event))),
  ],
]

test('a correct history has no violations', () => {
  expect(check(history)).toEqual([])
  expect(history.log.length).toBeGreaterThan(operations / 2)
})

describe('a corrupted history', () => {
  test.each(corruptions)('%s: %s', (_, fault, corrupt) => {
    expect(check(corrupt(history)).map((violation) => violation.fault)).toContain(fault)
  })
})
