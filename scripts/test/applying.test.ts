// Applying as it is interrupted: the real loan service ends or stops at each step, and there is one loan in the end, or none.
import { randomUUID } from 'node:crypto'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { application, nationalId, type Part, post, type System, startSystem, until } from '@headwater/test-kit/system'
import pg from 'pg'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'

let system: System
let store: EventStore
let database: pg.Client
let serial = 0

beforeAll(async () => {
  system = await startSystem({
    loanReplicas: 2,
    without: ['consent', 'dashboard-projector', 'edge-projector', 'gateway', 'web'],
  })
  store = connectEventStore({ url: system.eventstoreUrl, logger: pino({ level: 'silent' }) })
  database = new pg.Client(system.databaseUrl)
  await database.connect()
}, 60_000)
afterAll(async () => {
  await database?.end()
  await store?.close()
  await system?.stop()
})

/** The replica that is interrupted, and the one that is not. */
const faulty = () => system.loans[0] as Part
const healthy = () => system.loans[1] as Part
const interruptAt = async (fault: string) => {
  await faulty().kill()
  await faulty().start({ FAULT_POINT: fault })
}
const apply = (replica: Part, body: object, key: string) =>
  post(`${replica.url}/api/loans`, body, { 'idempotency-key': key })
/** Every loan that this person reserved for. */
const reservedBy = async (nationalId: string): Promise<readonly string[]> => {
  const reserved = await store.readStream(`applicant-${keyedId(system.applicantKey, nationalId)}`, 0n, 100)
  return reserved.flatMap(({ type, data }) =>
    type === 'ApplicationReserved' ? [(data as { loanId: string }).loanId] : [],
  )
}
/** The events of each. */
const loansOf = async (nationalId: string) => Promise.all((await reservedBy(nationalId)).map(typesOf))
const typesOf = async (loanId: unknown) => (await store.readStream(`loan-${loanId}`, 0n, 10)).map(({ type }) => type)
const whole = ['LoanRequested', 'CreditChecked', 'ManualReviewRequired']

test.each(['reserved', 'scored', 'requested'])('killed when %s: the same request again is one loan', async (step) => {
  const body = application(nationalId(5, serial++))
  const key = randomUUID()
  await interruptAt(`${step}:SIGKILL`)
  await expect(apply(faulty(), body, key)).rejects.toThrow()

  const open = (await apply(healthy(), body, randomUUID())).body
  expect(open.code).toBe('application_already_open')

  const { status, body: created } = await apply(healthy(), body, key)
  expect(status).toBe(201)
  expect(await typesOf(created.id)).toEqual(whole)
  expect((await apply(healthy(), body, key)).body).toEqual(created)
  expect((await apply(healthy(), body, randomUUID())).status).toBe(409)
  expect(await loansOf(body.nationalId)).toEqual([whole])
})

test.each(['reserved', 'scored'])(
  'killed when %s under a key that another person used: the person may apply at once',
  async (step) => {
    const [first, second] = [application(nationalId(5, serial++)), application(nationalId(5, serial++))]
    const key = randomUUID()
    const { body: created } = await apply(healthy(), first, key)
    await interruptAt(`${step}:SIGKILL`)
    await expect(apply(faulty(), second, key)).rejects.toThrow()
    expect((await apply(healthy(), second, randomUUID())).status).toBe(201)
    expect((await apply(healthy(), second, key)).body.code).toBe('idempotency_key_reused')
    expect((await apply(healthy(), second, randomUUID())).body.code).toBe('application_already_open')
    expect((await apply(healthy(), first, key)).body).toEqual(created)
  },
)

/** What waits to be done about the loan that this person reserved for last, by kind. */
const waitingFor = async (nationalId: string): Promise<readonly string[]> => {
  const { rows } = await database.query<{ kind: string }>(
    `select kind from headwater.jobs where done_at is null and subject->>'loanId' = $1`,
    [(await reservedBy(nationalId)).at(-1)],
  )
  return rows.map(({ kind }) => kind)
}
/** The watchdog knows of the reservation. */
const isWatched = async (nationalId: string) => (await waitingFor(nationalId)).includes('abandon application')

/**
 * As if so many minutes had passed for the jobs that wait: due times are all that depends on the time, and Postgres
 * keeps them. The paused process itself is really stopped; its own clock does not matter to the rules.
 */
const pass = (minutes: number) =>
  database.query(
    `select graphile_worker.reschedule_jobs(array[id], run_at => run_at - make_interval(mins => $1)) from graphile_worker.jobs`,
    [minutes],
  )

test.each(['reserved', 'scored'])(
  'killed when %s and never repeated: after a while the person may apply again',
  async (step) => {
    const body = application(nationalId(5, serial++))
    await interruptAt(`${step}:SIGKILL`)
    await expect(apply(faulty(), body, randomUUID())).rejects.toThrow()
    const again = () => apply(healthy(), body, randomUUID())
    await until('somebody watches over the reservation', () => isWatched(body.nationalId))
    expect((await again()).body.code).toBe('application_already_open')
    await pass(15)
    await until('the reservation is given up', async () => (await again()).status === 201)
    expect(await loansOf(body.nationalId)).toEqual([['LoanAbandoned'], whole])
  },
)

test('killed when requested and never repeated: the loan stands, however long nobody asks', async () => {
  const body = application(nationalId(5, serial++))
  await interruptAt('requested:SIGKILL')
  await expect(apply(faulty(), body, randomUUID())).rejects.toThrow()
  // Nothing is due before anybody has heard of it, either.
  await until('somebody watches over the reservation', () => isWatched(body.nationalId))
  await until('all that follows from it waits', async () => {
    const { rowCount } = await database.query(`select from headwater.jobs where done_at is null and run_at < now()`)
    return rowCount === 0
  })
  await pass(15)
  await until('the watchdog has looked', async () => {
    const { rowCount } = await database.query(`select from headwater.jobs where done_at is null`)
    return rowCount === 0
  })
  expect((await apply(healthy(), body, randomUUID())).body.code).toBe('application_already_open')
  expect(await loansOf(body.nationalId)).toEqual([whole])
})

test.each(['reserved', 'scored'])(
  'paused for 15 minutes when %s: somebody else may apply meanwhile, and the request that goes on then is refused',
  async (step) => {
    const body = application(nationalId(5, serial++))
    await interruptAt(`${step}:SIGSTOP`)
    const paused = apply(faulty(), body, randomUUID())
    const second = () => apply(healthy(), body, randomUUID())
    await until('the paused request holds the reservation', () => isWatched(body.nationalId))
    expect((await second()).status).toBe(409)

    await pass(15)
    let accepted: unknown
    await until('the reservation is given up', async () => {
      const { status, body } = await second()
      accepted = body.id
      return status === 201
    })
    faulty().signal('SIGCONT')
    expect(await paused).toMatchObject({ status: 409, body: { code: 'loan_already_requested' } })
    expect(await typesOf(accepted)).toEqual(whole)
    expect((await second()).body.code).toBe('application_already_open')
    // What came late left nothing behind: one loan is open, the other was closed before it began.
    expect(await loansOf(body.nationalId)).toEqual([['LoanAbandoned'], whole])
  },
)
