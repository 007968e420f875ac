// Kills the parts of the system at random moments under load and compares what was acknowledged, stored, projected and shown.
// A failing round names its seed: CHAOS_SEED=<seed> CHAOS_ROUNDS=1 npm test -- chaos repeats it.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fold } from '@headwater/deciders/decider'
import { type ApplicantEvent, applicant, applicantEvents } from '@headwater/deciders/loan/applicant'
import { loan } from '@headwater/deciders/loan/loan'
import { type LoanEvent, loanEvents } from '@headwater/deciders/loan/loan-events'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import { beginning, formatPosition, laterPosition, type Position } from '@headwater/eventstore/position'
import { startSubscription } from '@headwater/eventstore/subscription'
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
const roundMsMax = 60_000
/** A killed writer's successor waits for its lease to run out. */
const dashboardMsMax = 20_000
/** A killed worker's jobs run again within 15 s. */
const jobsMsMax = 30_000

const logger = pino({ level: 'silent' })
const codec = createCodec<LoanEvent>(loanEvents)
const applicantCodec = createCodec<ApplicantEvent>(applicantEvents)

/** What the system has acknowledged: it must be there, once, whatever was killed. */
type Acknowledged = { readonly id: string; readonly decision: 'approve' | 'deny' | 'withdraw' | 'none' }

let system: System
let store: EventStore
let live: LiveClient
const acknowledged = new Map<string, Acknowledged>()
let serial = 0

beforeAll(async () => {
  system = await startSystem({ loanReplicas: 2 })
  store = connectEventStore({ url: system.eventstoreUrl, logger })
  live = followTopic(system.gateway.url, 'loans', (row) => String(row.loanId), system.asUnderwriter)
}, 60_000)
afterAll(async () => {
  await live?.stop()
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

const expectLivePictureToBeTheReadModel = async () => {
  const fresh = followTopic(system.gateway.url, 'loans', (row) => String(row.loanId), system.asUnderwriter)
  try {
    await until('a fresh client has its snapshot', () => fresh.snapshots() > 0)
    const sorted = (rows: ReadonlyMap<string, unknown>) =>
      JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
    await until('the live picture is the read model', () => sorted(live.picture()) === sorted(fresh.picture())).catch(
      () => expect(Object.fromEntries(live.picture())).toEqual(Object.fromEntries(fresh.picture())),
    )
  } finally {
    await fresh.stop()
  }
}

test.each(Array.from({ length: rounds }, (_, round) => firstSeed + round))(
  'seed %i: nothing acknowledged is missing, nothing doubled, every picture is the fold of the store',
  async (seed) => {
    const chance = chanceFrom(seed)
    const working = Promise.all(Array.from({ length: workers }, () => work(chanceFrom(chance.between(0, 2 ** 31)))))
    const breaking = breakThings(chance, working)
    await Promise.all([working, breaking])

    await until('no credit check is open', async () => {
      const statuses = statusesOf(await readEverything('loan'))
      return [...statuses.values()].every((status) => status !== 'checking')
    })
    const streams = await readEverything('loan')
    expectNothingLostNothingDoubled(streams)
    await expectReadModelToBeTheFold(streams)
    await expectDashboardToCountEveryLoan(streams)
    await expectLivePictureToBeTheReadModel()
  },
  roundMsMax,
)

test('the live client was interrupted and still followed by its token: it was not given everything anew each time', () => {
  expect(live.connections()).toBeGreaterThanOrEqual(live.snapshots())
})

test(
  'in the end reservations are held by open loans, and by nobody else',
  async () => {
    const statuses = statusesOf(await readEverything('loan'))
    const open = [...statuses].filter(([, status]) => status === 'awaiting review').map(([stream]) => stream)
    const held = async () => {
      const states = [...(await readEverything('applicant')).values()].map((events) =>
        fold(
          applicant,
          applicant.initialState,
          events.map((event) => applicantCodec.decode(event)),
        ),
      )
      return states.flatMap((state) => (state.status === 'reserved' ? [`loan-${state.loanId}`] : [])).sort()
    }
    await expect.poll(held, { timeout: jobsMsMax, interval: 500 }).toEqual(open.sort())
  },
  2 * jobsMsMax,
)
