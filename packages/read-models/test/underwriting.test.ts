// Read model `underwriting` in Postgres: whatever happens to loans, its lists and numbers are what plain counting gives.
import { randomUUID } from 'node:crypto'
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import { directions, historySorts, queueSorts } from '@headwater/deciders/loan/loan-filters'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { shapeOf } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink } from '@headwater/projections/model/sink'
import { stepOver } from '@headwater/projections/model/step'
import { openPostgresReader, type PostgresReader } from '@headwater/projections/postgres/reader'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { at, deletedAt, logger, storeId } from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'
import type { CompiledQuery } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decisionTimeBuckets, type UnderwritingLoan, underwriting } from '../src/loan/underwriting.ts'
import {
  compareIn,
  formatLoansCursor,
  listHistory,
  listQueue,
  matchesQueue,
  type Order,
  type Page,
  parseLoansCursor,
  readStatistics,
} from '../src/loan/underwriting-queries.ts'

const minuteMs = 60_000
const pageSize = 3
const newestFirst: Order = { sort: 'decidedAt', direction: 'desc' }
const longestWaitingFirst: Order = { sort: 'requestedAt', direction: 'asc' }

let database: TestDatabase
let reader: PostgresReader
let sink: Sink

beforeAll(async () => {
  database = await testDatabase()
  reader = openPostgresReader({ url: database.url, projection: underwriting, logger })
})
afterAll(async () => {
  await reader.close()
  await database.remove()
})

const openSink = () => openPostgresSink({ url: database.url, projection: underwriting, logger })
beforeEach(() => {
  sink = openSink()
})
afterEach(async () => {
  await sink.close()
  await beginAnew()
})
/** What an operator does to have the read model built again. */
const beginAnew = async () => {
  await database.client.query('drop schema if exists underwriting_v1 cascade')
}

const claimed = async (writer: Sink): Promise<Checkpoint> => {
  const checkpoint = await writer.claim(storeId)
  if (!checkpoint) throw new Error('The claim was refused.')
  return checkpoint
}

const recorded = (events: readonly LoanEvent[]): readonly StoredEvent[] => {
  const revisions = new Map<string, bigint>()
  return events.map((event, n) => {
    const { loanId } = event.data
    const revision = (revisions.get(loanId) ?? -1n) + 1n
    revisions.set(loanId, revision)
    const stream = `loan-${loanId}`
    return { id: randomUUID(), stream, revision, position: at(n + 1), metadata: {}, recordedAt: new Date(), ...event }
  })
}

const projectAll = (events: readonly LoanEvent[], batchSize = events.length) =>
  projectStored(recorded(events), batchSize)

const projectStored = async (stored: readonly StoredEvent[], batchSize: number) => {
  let checkpoint = await claimed(sink)
  for (let n = 0; n < stored.length; n += batchSize) {
    const batch = stored.slice(n, n + batchSize)
    const step = stepOver(underwriting, checkpoint, { events: batch, position: at(n + batch.length) })
    expect(await sink.commit(step)).toBe('committed')
    checkpoint = step.to
  }
}

const allPages = async (list: (page: Page) => CompiledQuery<UnderwritingLoan>, order: Order) => {
  const pages: UnderwritingLoan[] = []
  for (;;) {
    const last = pages.at(-1)
    const after = last && parseLoansCursor(formatLoansCursor(last, order), order)
    const { value } = await reader.read((db) => db.rows(list({ ...order, after, limit: pageSize })))
    pages.push(...value)
    if (value.length < pageSize) return pages
  }
}
const statistics = async (since = '0000-01-01') => (await reader.read((db) => readStatistics(db, since))).value

/** One loan from its request to wherever it got. */
type Life = { readonly name: string; readonly amount: number; readonly requestedMs: number } & (
  | { readonly end: 'checking' | 'withdrawn unchecked'; readonly score: null; readonly afterMs: number }
  | {
      readonly end: 'auto' | 'awaiting review' | 'approved' | 'denied' | 'withdrawn'
      readonly score: number
      readonly afterMs: number
    }
)

const eventsOf = ({ name, amount, requestedMs, end, score, afterMs }: Life): readonly LoanEvent[] => {
  const loanId = randomUUID()
  const requestedAt = new Date(requestedMs).toISOString()
  const decidedAt = new Date(requestedMs + afterMs).toISOString()
  const requestedBy = { kind: 'anonymous', id: 'anonymous' } as const
  const person = { name, nationalId: '555555AA' }
  const withdrawn: LoanEvent = { type: 'LoanWithdrawn', data: { loanId, reason: null, withdrawnAt: decidedAt } }
  const requested: LoanEvent = {
    type: 'LoanRequested',
    data: { loanId, ...person, address: 'London', amount, requestedBy, requestedAt },
  }
  if (score === null) return end === 'checking' ? [requested] : [requested, withdrawn]
  const checked: LoanEvent = { type: 'CreditChecked', data: { loanId, score, checkedAt: requestedAt } }
  if (end === 'auto') {
    const type = score > 5 ? 'AutoApproved' : 'AutoDenied'
    return [requested, checked, { type, data: { loanId, score, decidedAt } }]
  }
  const decided = { loanId, decidedBy: 'una', reason: 'because', decidedAt }
  const review: LoanEvent = {
    type: 'ManualReviewRequired',
    data: { loanId, ...person, amount, score, requestedBy, requestedAt },
  }
  const ends: Readonly<Record<string, readonly LoanEvent[]>> = {
    'awaiting review': [],
    approved: [{ type: 'ManuallyApproved', data: decided }],
    denied: [{ type: 'ManuallyDenied', data: decided }],
    withdrawn: [withdrawn],
  }
  return [requested, checked, review, ...(ends[end] ?? [])]
}

const start = Date.UTC(2026, 10, 20)
const lifeBase = {
  name: fc.constantFrom('Ada Lovelace', 'Zoë Ångström', 'Grace Hopper', 'ZOE'),
  amount: fc.integer({ min: 1, max: 5 }),
  requestedMs: fc.integer({ min: start, max: start + 60 * minuteMs }),
  afterMs: fc.constantFrom(-5, 0, 9_999, 10_000, 10_001, 3 * minuteMs, 48 * 60 * minuteMs, 90 * 24 * 60 * minuteMs),
}
const life: fc.Arbitrary<Life> = fc.oneof(
  fc.record({
    ...lifeBase,
    end: fc.constantFrom('checking' as const, 'withdrawn unchecked' as const),
    score: fc.constant(null),
  }),
  fc.record({
    ...lifeBase,
    end: fc.constantFrom(...(['auto', 'awaiting review', 'approved', 'denied', 'withdrawn'] as const)),
    score: fc.integer({ min: 1, max: 10 }),
  }),
)

/** The events of all lives, each in its own order, mixed as `picks` say. */
const mixed = (lives: readonly Life[], picks: readonly number[]): readonly LoanEvent[] => {
  const waiting = lives.map((each) => [...eventsOf(each)])
  const all: LoanEvent[] = []
  for (let n = 0; waiting.length > 0; n++) {
    const place = (picks[n % picks.length] ?? 0) % waiting.length
    const event = waiting[place]?.shift()
    if (event) all.push(event)
    else waiting.splice(place, 1)
  }
  return all
}

type Told = Omit<UnderwritingLoan, 'foldedName' | 'revision'>
const told = (loans: readonly UnderwritingLoan[]): readonly Told[] =>
  loans.map(({ foldedName: _, revision: __, ...loan }) => loan)

/** What one would say of a loan who has its events in hand. */
const retold = (history: readonly LoanEvent[]): UnderwritingLoan => {
  const of = <Type extends LoanEvent['type']>(...types: Type[]) =>
    history.find((event): event is Extract<LoanEvent, { type: Type }> => types.some((type) => type === event.type))
  const requested = of('LoanRequested')?.data
  if (!requested) throw new Error('Every life begins with a request.')
  const { loanId, name, amount, requestedAt } = requested
  const automatic = of('AutoApproved', 'AutoDenied')
  const manual = of('ManuallyApproved', 'ManuallyDenied')
  const withdrawn = of('LoanWithdrawn')
  const decision = automatic ?? manual
  const approved = decision?.type === 'AutoApproved' || decision?.type === 'ManuallyApproved'
  const open = of('ManualReviewRequired') ? 'awaiting review' : 'checking'
  const ended = decision ? (approved ? 'approved' : 'denied') : withdrawn && 'withdrawn'
  return {
    loanId,
    name,
    foldedName: name === 'Zoë Ångström' ? 'zoe angstrom' : name.toLowerCase(),
    amount,
    score: of('CreditChecked')?.data.score ?? null,
    status: ended ?? open,
    requestedAt,
    decidedAt: decision?.data.decidedAt ?? withdrawn?.data.withdrawnAt ?? null,
    decidedBy: manual?.data.decidedBy ?? null,
    reason: manual?.data.reason ?? null,
    decidedAfterMs: manual ? Math.max(0, Date.parse(manual.data.decidedAt) - Date.parse(requestedAt)) : null,
    revision: history.length - 1,
  }
}

const counted = (loans: readonly UnderwritingLoan[]) => {
  const waiting = loans.filter(({ status }) => status === 'awaiting review')
  const sum = (some: readonly UnderwritingLoan[]) => some.reduce((total, { amount }) => total + amount, 0)
  const ended = Map.groupBy(
    loans.filter(({ decidedAt }) => decidedAt !== null),
    ({ decidedAt, status }) => `${decidedAt?.slice(0, 10)} ${status}`,
  )
  const times = loans.flatMap(({ decidedAfterMs }) => decidedAfterMs ?? []).sort((a, b) => a - b)
  const upTo = (end: number | null) => times.filter((ms) => ms <= (end ?? Number.POSITIVE_INFINITY)).length
  return {
    waiting: { count: waiting.length, amount: sum(waiting) },
    byDay: [...ended]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, some]) => ({ day: key.slice(0, 10), outcome: key.slice(11), count: some.length, amount: sum(some) })),
    scores: Array.from({ length: 10 }, (_, n) => ({
      score: n + 1,
      count: loans.filter(({ score }) => score === n + 1).length,
    })),
    decisionTimes: decisionTimeBuckets.map((bucketMs, n) => ({
      bucketMs,
      count: upTo(bucketMs) - (n === 0 ? 0 : upTo(decisionTimeBuckets[n - 1] ?? 0)),
    })),
    medianMs: times[Math.floor((times.length - 1) / 2)] ?? null,
  }
}

test('lists, searches and numbers are what counting the events gives, however they are mixed and batched', async () => {
  const orders = (sorts: readonly Order['sort'][]) =>
    fc.record({ sort: fc.constantFrom(...sorts), direction: fc.constantFrom(...directions) })
  const scenario = fc.record({
    lives: fc.array(life, { minLength: 1, maxLength: 25 }),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
    batchSize: fc.integer({ min: 1, max: 20 }),
    queueOrder: orders(queueSorts),
    historyOrder: orders(historySorts),
    search: fc.constantFrom(undefined, 'zoe', 'LOVE', 'a', '%', '0'),
  })
  const holds = fc.asyncProperty(scenario, async (given) => {
    const { lives, picks, batchSize, queueOrder, historyOrder, search } = given
    await beginAnew()
    const events = mixed(lives, picks)
    await projectAll(events, batchSize)
    const loans = [...Map.groupBy(events, ({ data }) => data.loanId).values()].map(retold)
    expect(await statistics()).toEqual(counted(loans))

    const queue = loans.filter(matchesQueue({ search })).sort(compareIn(queueOrder))
    expect(await allPages((page) => listQueue({ search }, page), queueOrder)).toEqual(queue)
    const history = loans.filter(({ decidedAt }) => decidedAt !== null).sort(compareIn(historyOrder))
    expect(told(await allPages((page) => listHistory({}, page), historyOrder))).toEqual(told(history))
  })
  await fc.assert(holds, { numRuns: 30 })
})

const waiting = (fields: Partial<Life> = {}) =>
  eventsOf({
    name: 'Ada Lovelace',
    amount: 1,
    requestedMs: start,
    end: 'awaiting review',
    score: 5,
    afterMs: minuteMs,
    ...fields,
  } as Life)
const idOf = (events: readonly LoanEvent[]) => events[0]?.data.loanId ?? ''

describe('the queue', () => {
  const found = async (filter: Parameters<typeof listQueue>[0]) =>
    (await allPages((page) => listQueue(filter, page), longestWaitingFirst)).map(({ name }) => name)

  test('is searched by parts of names without accents and capitals, and by the beginning of an id', async () => {
    const ada = waiting()
    await projectAll([...ada, ...waiting({ name: 'Zoë Ångström', requestedMs: start + 1 })])
    expect(await found({ search: 'ANGSTR' })).toEqual(['Zoë Ångström'])
    expect(await found({ search: 'ö' })).toEqual(['Ada Lovelace', 'Zoë Ångström'])
    expect(await found({ search: idOf(ada).slice(0, 13).toUpperCase() })).toEqual(['Ada Lovelace'])
    expect(await found({ search: '_' })).toEqual([])
  })

  test('is filtered by score', async () => {
    await projectAll([...waiting(), ...waiting({ name: 'Grace Hopper', score: 6 })])
    expect(await found({ score: 6 })).toEqual(['Grace Hopper'])
  })
})

test('the history is filtered by outcome and by the days of the decisions, both included', async () => {
  const dayMs = 24 * 60 * minuteMs
  const lives = [0, 1, 2, 3].map((day) =>
    waiting({ requestedMs: start, afterMs: day * dayMs, end: day % 2 ? 'denied' : 'approved' }),
  )
  await projectAll(lives.flat())
  const list = async (filter: Parameters<typeof listHistory>[0]) =>
    (await allPages((page) => listHistory(filter, page), newestFirst)).map(({ loanId }) => loanId)
  const ids = lives.map(idOf)
  expect(await list({})).toEqual(ids.toReversed())
  expect(await list({ outcome: 'denied' })).toEqual([ids[3], ids[1]])
  expect(await list({ from: '2026-11-21', to: '2026-11-22' })).toEqual([ids[2], ids[1]])
  expect((await statistics('2026-11-22')).byDay.map(({ day }) => day)).toEqual(['2026-11-22', '2026-11-23'])
})

test('a loan that was abandoned before its request arrived is not shown and not counted', async () => {
  await projectAll([{ type: 'LoanAbandoned', data: { loanId: randomUUID(), abandonedAt: '2026-11-21T10:00:00.000Z' } }])
  expect(await statistics()).toEqual(counted([]))
})

test('a cursor is good for its own order only', async () => {
  await projectAll(waiting())
  const [loan] = await allPages((page) => listQueue({}, page), longestWaitingFirst)
  const cursor = formatLoansCursor(loan as UnderwritingLoan, longestWaitingFirst)
  expect(parseLoansCursor(cursor, longestWaitingFirst)).toEqual({ value: loan?.requestedAt, loanId: loan?.loanId })
  expect(parseLoansCursor(cursor, { sort: 'amount', direction: 'asc' })).toBeUndefined()
  expect(parseLoansCursor(cursor, { sort: 'requestedAt', direction: 'desc' })).toBeUndefined()
})

test.each([
  '',
  'x',
  Buffer.from('{}').toString('base64url'),
  ...['"1","a"', '1,"a\\u0000"', '1e400,"a"', '1.5,"a"', '3e9,"a"', 'null,"a"', '1,{}'].map((rest) =>
    Buffer.from(`["amount","asc",${rest}]`).toString('base64url'),
  ),
])('%o is no cursor', (text) => {
  expect(parseLoansCursor(text, { sort: 'amount', direction: 'asc' })).toBeUndefined()
})

test('building it again gives the same', async () => {
  const events = [...waiting({ end: 'approved' }), ...waiting(), ...waiting({ end: 'auto', score: 9 })]
  const seen: unknown[] = []
  for (let run = 0; run < 2; run++) {
    await beginAnew()
    await projectAll(events, 2 + run)
    seen.push([await statistics(), await allPages((page) => listHistory({}, page), newestFirst)])
  }
  expect(seen[1]).toEqual(seen[0])
})

test('deleted loans are in no list and no number, for any split into batches', async () => {
  const [kept, ...gone] = [
    waiting({ end: 'approved' }),
    waiting({ end: 'approved' }),
    waiting({ end: 'denied', afterMs: 3 * minuteMs }),
    waiting({ end: 'auto', score: 9 }),
    waiting(),
  ]
  const tables = ['loans', 'days', 'scores', 'decisionTimes']
  const rows = async () => {
    const all: unknown[] = []
    for (const table of tables) all.push((await database.client.query(`select * from underwriting_v1."${table}"`)).rows)
    return all
  }
  await projectAll(kept ?? [])
  const alone = await rows()
  const events = recorded([...(kept ?? []), ...gone.flat()])
  const deletions = gone.map(([requested], n) => deletedAt(events.length + 1 + n, `loan-${requested?.data.loanId}`))
  for (const batchSize of [1, 5, events.length, events.length + deletions.length]) {
    await beginAnew()
    await projectStored([...events, ...deletions], batchSize)
    expect(await rows()).toEqual(alone)
  }
})

test('a writer that was superseded counts nothing twice', async () => {
  const [requested, checked, review] = recorded(waiting())
  const events = [requested, checked, review] as readonly StoredEvent[]
  const first = await claimed(sink)
  const step = (from: Checkpoint) => stepOver(underwriting, from, { events, position: at(3) })
  await database.client.query(`update headwater.leases set expires_at = clock_timestamp() - interval '1 ms'`)
  const successor = openSink()
  const second = await claimed(successor)
  expect(await successor.commit(step(second))).toBe('committed')
  expect(await sink.commit(step(first))).toBe('superseded')
  expect((await statistics()).waiting).toEqual({ count: 1, amount: 1 })
  await successor.close()
})

// A shape that is recorded here may be deployed somewhere: never edit an entry, add the next version.
test('another shape is another version', () => {
  const recordedShapes: Readonly<Record<number, string>> = {
    1: '{"loans":{"key":"loanId","columns":{"loanId":"text","name":"text","foldedName":"text","amount":"integer","score":"integer or null","status":"text","requestedAt":"text","decidedAt":"text or null","decidedBy":"text or null","reason":"text or null","decidedAfterMs":"integer or null","revision":"integer"},"indexes":[["status","requestedAt","loanId"],["decidedAt","loanId"],["decidedAfterMs"]]},"days":{"key":"key","columns":{"key":"text","day":"text","outcome":"text","count":"integer","amount":"integer"},"indexes":[]},"scores":{"key":"key","columns":{"key":"text","score":"integer","count":"integer"},"indexes":[]},"decisionTimes":{"key":"key","columns":{"key":"text","bucketMs":"integer or null","count":"integer"},"indexes":[]}}',
  }
  expect(recordedShapes[underwriting.version]).toBe(shapeOf(underwriting))
})
