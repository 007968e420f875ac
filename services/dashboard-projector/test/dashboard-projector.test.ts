// Dashboard projectors as processes on one Postgres: one writes each read model; whatever happens to it, another goes on and nothing is doubled.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPostgresReader } from '@headwater/projections/postgres/reader'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { readStatistics } from '@headwater/read-models/loan/underwriting-queries'
import { testDatabase } from '@headwater/test-kit/database'
import { expect, onTestFinished, test } from 'vitest'

const logger = createLogger({ service: 'test', level: 'silent' })
const deadlineMs = 20_000
const takeOverMsMax = 5_000

type Status = { readonly state: string; readonly lagMs?: number; readonly trouble?: string }

const startStores = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  const database = await testDatabase()
  const reader = openPostgresReader({ url: database.url, projection: underwriting, logger })
  onTestFinished(async () => {
    await reader.close()
    await database.remove()
    await store.close()
    await node.stop()
  })
  const appendLoan = async (amount: number) => {
    const loanId = randomUUID()
    const requestedBy = { kind: 'anonymous', id: 'anonymous' }
    const requestedAt = new Date().toISOString()
    const application = { loanId, name: 'Ada Lovelace', nationalId: '555555AA', amount, requestedBy, requestedAt }
    const events = [
      { type: 'LoanRequested', data: { ...application, address: 'London' } },
      { type: 'CreditChecked', data: { loanId, score: 5, checkedAt: requestedAt } },
      { type: 'ManualReviewRequired', data: { ...application, score: 5 } },
    ].map((event) => ({ ...event, id: randomUUID(), metadata: {} }))
    const outcome = await store.append(`loan-${loanId}`, events, 'no_stream')
    if (outcome.outcome !== 'appended') throw new Error('the events were not appended')
    return outcome.position
  }
  const waiting = async () => (await reader.read((db) => readStatistics(db, '0000-01-01'))).value.waiting
  return { eventStoreUrl: node.connectionString, databaseUrl: database.url, database, reader, appendLoan, waiting }
}
type Stores = Awaited<ReturnType<typeof startStores>>

const startProjector = async ({ eventStoreUrl, databaseUrl }: Stores) => {
  const child: ChildProcess = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
    env: { ...process.env, EVENTSTORE_URL: eventStoreUrl, DATABASE_URL: databaseUrl, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  onTestFinished(() => end('SIGKILL'))
  if (!child.stdout) throw new Error('the projector cannot be heard')
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    url = /http:[^"]+/.exec(line)?.[0] ?? ''
    if (url) break
  }
  child.stdout.resume()
  const readiness = async () => {
    const answer = await fetch(`${url}/health/ready`)
    const { parts } = (await answer.json()) as { parts: { underwriting: Status; audit: Status } }
    return { code: answer.status, ...parts.underwriting, states: [parts.underwriting.state, parts.audit.state] }
  }
  const metrics = async () => (await fetch(`${url}/metrics`)).text()
  return { child, end, readiness, metrics }
}
type Projector = Awaited<ReturnType<typeof startProjector>>

const isLive = async ({ readiness }: Projector) =>
  expect.poll(async () => (await readiness()).states, { timeout: deadlineMs }).toEqual(['live', 'live'])

/** The leases, by which one writes: the number of each rises whenever another takes it. */
const leasesOf = async ({ database }: Stores) => {
  const { rows } = await database.client.query<{ epoch: string }>('select epoch from headwater.leases order by name')
  return rows.map(({ epoch }) => Number(epoch))
}

/** The other takes every lease in time, and then catches up, which takes as long as it takes. */
const takesOver = async (stores: Stores, standby: Projector, before: readonly number[]) => {
  const taken = async () => (await leasesOf(stores)).map((epoch, n) => epoch > (before[n] ?? 0))
  await expect.poll(taken, { timeout: takeOverMsMax }).toEqual([true, true])
  await expect
    .poll(async () => (await standby.readiness()).states, { timeout: deadlineMs })
    .not.toContain('standing by')
}

/** Two projectors: the first is active, the second stands by. */
const startPair = async (stores: Stores) => {
  const active = await startProjector(stores)
  await isLive(active)
  const standby = await startProjector(stores)
  const states = async () => (await standby.readiness()).states
  await expect.poll(states, { timeout: deadlineMs }).toEqual(['standing by', 'standing by'])
  return { active, standby }
}

test('is ready once it has caught up; a second one stands by, which is ready too, and has no lag', async () => {
  const stores = await startStores()
  const position = await stores.appendLoan(100)
  const { active, standby } = await startPair(stores)
  expect(await stores.reader.waitFor(position, deadlineMs)).toBe(true)
  expect(await stores.waiting()).toEqual({ count: 1, amount: 100 })
  await expect.poll(active.readiness, { timeout: deadlineMs }).toMatchObject({ code: 200, lagMs: 0 })
  for (const name of ['underwriting', 'audit'])
    await expect.poll(active.metrics, { timeout: deadlineMs }).toContain(`{projection="${name}"} 0`)
  expect((await standby.readiness()).code).toBe(200)
  expect(await standby.metrics()).not.toContain('projection_lag_seconds{')
  await active.end('SIGTERM')
  expect(active.child.exitCode).toBe(0)
})

/** Appends loans of 1 euro until it is told to stop; answers how many there were. */
const startLoad = (stores: Stores) => {
  let going = true
  const load = async () => {
    let count = 0
    let last = await stores.appendLoan(1)
    for (count++; going; count++) last = await stores.appendLoan(1)
    return { count, last }
  }
  const loaded = load()
  return () => {
    going = false
    return loaded
  }
}

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'under load: after %s the other goes on, and each loan counts once',
  async (signal) => {
    const stores = await startStores()
    const { active, standby } = await startPair(stores)
    const stopLoad = startLoad(stores)
    await expect.poll(async () => (await stores.waiting()).count, { timeout: deadlineMs }).toBeGreaterThan(20)
    const leases = await leasesOf(stores)
    active.child.kill(signal)
    // Under load it may not be seen to have caught up.
    await takesOver(stores, standby, leases)
    active.child.kill('SIGCONT')
    const { count, last } = await stopLoad()
    expect(await stores.reader.waitFor(last, deadlineMs)).toBe(true)
    expect(await stores.waiting()).toEqual({ count, amount: count })
    if (signal === 'SIGSTOP')
      await expect.poll(async () => (await active.readiness()).state, { timeout: deadlineMs }).toBe('standing by')
    expect(await stores.waiting()).toEqual({ count, amount: count })
  },
)

test('a killed one is followed by the other within 5 s, which goes on where it ended', async () => {
  const stores = await startStores()
  const { active, standby } = await startPair(stores)
  await stores.appendLoan(100)
  const leases = await leasesOf(stores)
  await active.end('SIGKILL')
  const position = await stores.appendLoan(200)
  await takesOver(stores, standby, leases)
  await isLive(standby)
  expect(await stores.reader.waitFor(position, deadlineMs)).toBe(true)
  expect(await stores.waiting()).toEqual({ count: 2, amount: 300 })
})

test('a stopped one is followed by the other within 5 s, and counts nothing when it wakes up', async () => {
  const stores = await startStores()
  const { active, standby } = await startPair(stores)
  const before = await stores.appendLoan(100)
  expect(await stores.reader.waitFor(before, deadlineMs)).toBe(true)
  const leases = await leasesOf(stores)
  active.child.kill('SIGSTOP')
  await stores.appendLoan(200)
  await takesOver(stores, standby, leases)
  await isLive(standby)
  active.child.kill('SIGCONT')
  const position = await stores.appendLoan(400)
  expect(await stores.reader.waitFor(position, deadlineMs)).toBe(true)
  await expect.poll(async () => (await active.readiness()).state, { timeout: deadlineMs }).toBe('standing by')
  await isLive(standby)
  expect(await stores.waiting()).toEqual({ count: 3, amount: 700 })
})

test('waits for Postgres, says so, and goes on when it is back', async () => {
  const stores = await startStores()
  const projector = await startProjector(stores)
  await isLive(projector)
  const restore = await stores.database.interrupt()
  await stores.appendLoan(100)
  await expect.poll(async () => (await projector.readiness()).trouble, { timeout: deadlineMs }).toBeDefined()
  expect((await projector.readiness()).code).toBe(200)
  await restore()
  const position = await stores.appendLoan(200)
  expect(await stores.reader.waitFor(position, deadlineMs)).toBe(true)
  expect(await stores.waiting()).toEqual({ count: 2, amount: 300 })
})
