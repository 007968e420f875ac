// Kills the parts of the system at random moments under load and compares what was acknowledged, stored, projected and shown.
// A failing round names its seed: CHAOS_SEED=<seed> CHAOS_ROUNDS=1 npm test -- chaos repeats it.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { fold } from '@headwater/deciders/decider'
import { type ApplicantEvent, applicant, applicantEvents } from '@headwater/deciders/loan/applicant'
import { loan } from '@headwater/deciders/loan/loan'
import { type LoanEvent, loanEvents } from '@headwater/deciders/loan/loan-events'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import { beginning, formatPosition, laterPosition, type Position } from '@headwater/eventstore/position'
import { startSubscription } from '@headwater/eventstore/subscription'
import { openPostgresReader, type PostgresReader } from '@headwater/read-models/postgres-reader'
import { underwriting } from '@headwater/read-models/underwriting'
import { listQueue } from '@headwater/read-models/underwriting-queries'
import pg from 'pg'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Chance, chanceFrom } from './chance.ts'
import { followTopic, type LiveClient } from './live-client.ts'
import { application, nationalId, type Part, post, type System, startSystem, until } from './system.ts'

const rounds = Number(process.env.CHAOS_ROUNDS ?? 10)
const firstSeed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000)
const workers = 8
const loansPerWorker = 10
const retryDelayMs = 50
const roundMsMax = 180_000
/** A killed writer's successor waits for its lease to run out. */
const dashboardMsMax = 20_000
/** A killed worker's jobs run again within 15 s, those that met a dead bureau within 30 s. */
const jobsMsMax = 60_000
/** As many rows as a live query shows. */
const liveRowsMax = 1_000

const logger = pino({ level: 'silent' })
const codec = createCodec<LoanEvent>(loanEvents)
const applicantCodec = createCodec<ApplicantEvent>(applicantEvents)

/** What the system has acknowledged: it must be there, once, whatever was killed. */
type Acknowledged = { readonly id: string; readonly decision: 'approve' | 'deny' | 'withdraw' | 'none' }

let system: System
let store: EventStore
let database: pg.Client
let queue: PostgresReader
/** What applicants and underwriters see, followed through all of it. */
let live: { readonly loans: LiveClient; readonly underwriting: LiveClient }
const acknowledged = new Map<string, Acknowledged>()
let serial = 0

beforeAll(async () => {
  system = await startSystem({ loanReplicas: 2 })
  store = connectEventStore({ url: system.eventstoreUrl, logger })
  database = new pg.Client(system.databaseUrl)
  await database.connect()
  queue = openPostgresReader({ url: system.databaseUrl, projection: underwriting, logger })
  live = { loans: follow('loans'), underwriting: follow('underwriting') }
}, 60_000)
const follow = (topic: string) =>
  followTopic(system.gateway.url, topic, (row) => String(row.loanId), system.asUnderwriter)
afterAll(async () => {
  for (const client of Object.values(live ?? {})) await client.stop()
  await queue?.close()
  await database?.end()
  await store?.close()
  await system?.stop()
})

/** Asks until there is an answer, always with the same key: what a careful client does. The credit check may be late. */
const insist = async (url: () => string, body: object, as: Readonly<Record<string, string>> = {}) => {
  const key = randomUUID()
  for (;;) {
    const answer = await post(url(), body, { 'idempotency-key': key, ...as }).catch(() => undefined)
    if (answer && answer.status < 500 && answer.body.loanStatus !== 'checking') return answer
    await sleep(retryDelayMs)
  }
}

const work = async (chance: Chance) => {
  for (let count = 0; count < loansPerWorker; count++) {
    // Through the front door and past it: two replicas work on the same store.
    const entrance = () => chance.pick([system.gateway, ...system.loans]).url
    const digit = chance.between(1, 9)
    const applied = await insist(() => `${entrance()}/api/loans`, application(nationalId(digit, serial++)))
    expect(applied.status).toBe(201)
    const id = String(applied.body.id)
    const decision = digit === 5 || digit === 6 ? chance.pick(['approve', 'deny', 'withdraw', 'none'] as const) : 'none'
    const as = decision === 'withdraw' ? await system.asApplicantOf(id) : system.asUnderwriter
    if (decision !== 'none')
      expect((await insist(() => `${entrance()}/api/loans/${id}/${decision}`, {}, as)).status).toBe(200)
    acknowledged.set(id, { id, decision })
  }
}

/** Jobs that met a dead bureau wait up to 30 s before they try again; rounds are short. */
const hurryRetries = () =>
  database.query(
    `select graphile_worker.reschedule_jobs(array[id], run_at => now()) from graphile_worker.jobs
     where attempts > 0 and locked_at is null and run_at > now() + interval '1 s'`,
  )

const breakThings = async (chance: Chance, working: Promise<unknown>) => {
  let over = false
  const end = () => {
    over = true
  }
  working.then(end, end)
  const victims: readonly Part[] = [
    system.projector,
    system.projector,
    system.dashboardProjector,
    system.jobs,
    system.sandbox,
    ...system.loans,
    system.eventstore,
    system.gateway,
  ]
  while (!over) {
    await sleep(chance.between(0, 400))
    const victim = chance.pick(victims)
    await victim.kill()
    await sleep(chance.between(0, 200))
    await victim.start()
    await hurryRetries()
  }
}

/** Every event of a category, by stream. */
const readEverything = async (category: 'loan' | 'applicant') => {
  const streams = new Map<string, StoredEvent[]>()
  const subscription = startSubscription({
    store,
    name: 'chaos',
    categories: [category],
    from: beginning,
    logger,
    handle: async ({ events }) => {
      for (const event of events) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event])
    },
  })
  await subscription.whenCaughtUp()
  await subscription.stop()
  return streams
}

const getAllRows = async (after: Position) => {
  const rows: Record<string, unknown>[] = []
  const reached = encodeURIComponent(formatPosition(after))
  for (let cursor = ''; ; ) {
    const response = await fetch(`${system.gateway.url}/api/loans?limit=100&after=${reached}${cursor}`, {
      headers: system.asUnderwriter,
    })
    expect(response.headers.get('headwater-stale')).toBeNull()
    const page = (await response.json()) as { loans: Record<string, unknown>[]; next: string | null }
    rows.push(...page.loans)
    if (page.next === null) return rows
    cursor = `&cursor=${page.next}`
  }
}

const expectNothingLostNothingDoubled = (streams: ReadonlyMap<string, readonly StoredEvent[]>) => {
  expect([...streams.keys()].sort()).toEqual([...acknowledged.keys()].map((id) => `loan-${id}`).sort())
  for (const [stream, events] of streams) {
    expect(events.map(({ revision }) => Number(revision))).toEqual(events.map((_, index) => index))
    const types = events.map(({ type }) => type)
    const { decision } = acknowledged.get(stream.slice('loan-'.length)) as Acknowledged
    const last = { approve: 'ManuallyApproved', deny: 'ManuallyDenied', withdraw: 'LoanWithdrawn' }
    // A withdrawal may be faster than a credit check that was late.
    const checked = decision === 'withdraw' && types.length === 2 ? [] : ['CreditChecked', types[2]]
    expect(types).toEqual(['LoanRequested', ...checked, ...(decision === 'none' ? [] : [last[decision]])])
  }
}

const statusesOf = (streams: ReadonlyMap<string, readonly StoredEvent[]>): ReadonlyMap<string, string> =>
  new Map(
    [...streams].map(([stream, events]) => [
      stream,
      fold(
        loan,
        loan.initialState,
        events.map((event) => codec.decode(event)),
      ).status,
    ]),
  )

const expectReadModelToBeTheFold = async (streams: ReadonlyMap<string, readonly StoredEvent[]>) => {
  const last = [...streams.values()]
    .flat()
    .reduce((position, event) => laterPosition(position, event.position), beginning)
  await until('the projector is ready', async () => (await fetch(`${system.projector.url}/health/ready`)).ok)
  const rows = new Map((await getAllRows(last)).map((row) => [`loan-${row.loanId}`, row.status]))
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(statusesOf(streams)))
}

const expectDashboardToCountEveryLoan = async (streams: ReadonlyMap<string, readonly StoredEvent[]>) => {
  const statuses = [...statusesOf(streams).values()]
  const counted = async () => {
    const answer = await fetch(`${system.gateway.url}/api/underwriting/statistics`, { headers: system.asUnderwriter })
    const { waiting, byDay } = (await answer.json()) as {
      waiting: { count: number }
      byDay: { outcome: string; count: number }[]
    }
    const ended = (outcome: string) => byDay.reduce((sum, day) => sum + (day.outcome === outcome ? day.count : 0), 0)
    return [waiting.count, ended('approved'), ended('denied'), ended('withdrawn')]
  }
  const folded = ['awaiting review', 'approved', 'denied', 'withdrawn'].map(
    (status) => statuses.filter((each) => each === status).length,
  )
  await expect.poll(counted, { timeout: dashboardMsMax }).toEqual(folded)
}

const sorted = (rows: Iterable<readonly [string, unknown]>) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1))

/** A picture that was followed all the time ends as the one that is taken now. */
const expectPicture = async (topic: keyof typeof live, now: () => Promise<Iterable<readonly [string, unknown]>>) => {
  const picture = () => sorted(live[topic].picture())
  const same = async () => isDeepStrictEqual(picture(), sorted(await now()))
  await until(`the live picture of ${topic} is the read model`, same).catch(async () =>
    expect(Object.fromEntries(picture())).toEqual(Object.fromEntries(sorted(await now()))),
  )
}

const freshPicture = (topic: keyof typeof live) => async () => {
  const fresh = follow(topic)
  try {
    await until('a fresh client has its snapshot', () => fresh.snapshots() > 0)
    return fresh.picture()
  } finally {
    await fresh.stop()
  }
}

/** The queue as Postgres has it, without what only searching needs. */
const waitingInPostgres = async () => {
  const { value } = await queue.rows(listQueue({}, { sort: 'requestedAt', direction: 'asc', limit: liveRowsMax }))
  return value.map(({ foldedName: _, ...loan }) => [loan.loanId, loan] as const)
}

const expectQueueToBeTheFold = async (streams: ReadonlyMap<string, readonly StoredEvent[]>) => {
  const open = [...statusesOf(streams)].filter(([, status]) => status === 'awaiting review')
  const waiting = async () => (await waitingInPostgres()).map(([loanId]) => `loan-${loanId}`).sort()
  const folded = open.map(([stream]) => stream).sort()
  await expect.poll(waiting, { timeout: dashboardMsMax }).toEqual(folded.slice(0, liveRowsMax))
}

/** Each loan reserves its applicant once and lets go once; no job is entered twice, none is given up. */
const expectJobsOnce = async () => {
  for (const [stream, events] of await readEverything('applicant')) {
    const steps = events.map(({ type, data }) => `${type} ${(data as { loanId: string }).loanId}`)
    expect(new Set(steps).size, stream).toBe(steps.length)
  }
  const parked = await database.query('select * from headwater.jobs where parked_at is not null')
  expect(parked.rows).toEqual([])
  const doubled = await database.query('select from headwater.jobs group by event_id, kind having count(*) > 1')
  expect(doubled.rowCount).toBe(0)
}

test.each(Array.from({ length: rounds }, (_, round) => firstSeed + round))(
  'seed %i: nothing acknowledged is missing, nothing doubled, every picture is the fold of the store',
  async (seed) => {
    const chance = chanceFrom(seed)
    const working = Promise.all(Array.from({ length: workers }, () => work(chanceFrom(chance.between(0, 2 ** 31)))))
    const breaking = breakThings(chance, working)
    await Promise.all([working, breaking])

    const noneChecking = async () => {
      await hurryRetries()
      const statuses = statusesOf(await readEverything('loan'))
      return [...statuses.values()].every((status) => status !== 'checking')
    }
    await until('no credit check is open', noneChecking, jobsMsMax)
    const streams = await readEverything('loan')
    expectNothingLostNothingDoubled(streams)
    await expectReadModelToBeTheFold(streams)
    await expectDashboardToCountEveryLoan(streams)
    await expectQueueToBeTheFold(streams)
    await expectPicture('loans', freshPicture('loans'))
    await expectPicture('underwriting', waitingInPostgres)
    await expectJobsOnce()
  },
  roundMsMax,
)

test('live clients were interrupted and still followed by their tokens: they were not given everything anew each time', () => {
  for (const client of Object.values(live)) expect(client.connections()).toBeGreaterThanOrEqual(client.snapshots())
})

const reservations = async () => {
  const states = [...(await readEverything('applicant')).values()].map((events) =>
    fold(
      applicant,
      applicant.initialState,
      events.map((event) => applicantCodec.decode(event)),
    ),
  )
  return states.flatMap((state) => (state.status === 'reserved' ? [`loan-${state.loanId}`] : [])).sort()
}

test(
  'in the end reservations are held by open loans and by nobody else; once all are decided, by nobody',
  async () => {
    const openLoans = async () => {
      const statuses = [...statusesOf(await readEverything('loan'))]
      return statuses.filter(([, status]) => status === 'awaiting review').map(([stream]) => stream)
    }
    const open = await openLoans()
    const patience = { timeout: jobsMsMax, interval: 500 }
    await expect.poll(reservations, patience).toEqual(open.sort())

    for (const stream of open) {
      const id = stream.slice('loan-'.length)
      expect(
        (await insist(() => `${system.gateway.url}/api/loans/${id}/approve`, {}, system.asUnderwriter)).status,
      ).toBe(200)
      acknowledged.set(id, { id, decision: 'approve' })
    }
    const streams = await readEverything('loan')
    expectNothingLostNothingDoubled(streams)
    const outcomes = ['approved', 'denied', 'withdrawn']
    for (const [stream, status] of statusesOf(streams)) expect(outcomes, stream).toContain(status)
    await expect.poll(reservations, patience).toEqual([])
    await expectDashboardToCountEveryLoan(streams)
    await expectPicture('underwriting', async () => [])
    await expectJobsOnce()
  },
  4 * jobsMsMax,
)
