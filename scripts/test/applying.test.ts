// Applying as it is interrupted: the real loan service ends or stops at each step, and there is one loan in the end, or none.
import { randomUUID } from 'node:crypto'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client'
import pg from 'pg'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { application, nationalId, type Part, post, type System, startSystem, until } from './system.ts'

let system: System
let store: EventStore
let database: pg.Client
let serial = 0

beforeAll(async () => {
  system = await startSystem({ loanReplicas: 2 })
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
afterEach(async () => {
  await faulty().kill()
  await faulty().start()
})

const interruptAt = async (fault: string) => {
  await faulty().kill()
  await faulty().start({ FAULT_POINT: fault })
}
const apply = (replica: Part, body: object, key: string) =>
  post(`${replica.url}/api/loans`, body, { 'idempotency-key': key })
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
})

/** As if so many minutes had passed for the jobs that wait. */
const pass = (minutes: number) =>
  database.query(
    `select graphile_worker.reschedule_jobs(array[id], run_at => run_at - make_interval(mins => $1)) from graphile_worker.jobs`,
    [minutes],
  )

test.each(['reserved', 'scored'])(
  'paused for 15 minutes when %s: somebody else may apply meanwhile, and the request that goes on then is refused',
  async (step) => {
    const body = application(nationalId(5, serial++))
    await interruptAt(`${step}:SIGSTOP`)
    const paused = apply(faulty(), body, randomUUID())
    const second = () => apply(healthy(), body, randomUUID())
    await until('the paused request holds the reservation', async () => {
      const { rowCount } = await database.query(
        `select from headwater.jobs where kind = 'abandon application' and done_at is null
         and loan_id not in (select loan_id from headwater.jobs where kind = 'check credit')`,
      )
      return rowCount === 1
    })
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
  },
)
