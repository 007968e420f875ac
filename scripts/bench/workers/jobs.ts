// Runs jobs and processes as the jobs service does, on a toy bank, and times them.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { beginning } from '@headwater/eventstore/position'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openDatabase } from '@headwater/jobs/database'
import { enterJobs } from '@headwater/jobs/ledger/enter-jobs'
import { openLedger } from '@headwater/jobs/ledger/ledger'
import { processesOf } from '@headwater/jobs/processes/processes'
import { createProcessRunner } from '@headwater/jobs/processes/run-process'
import { jobRow } from '@headwater/jobs/reactions'
import { openConsequencesSink } from '@headwater/jobs/sink'
import { originOf, type Task } from '@headwater/jobs/task'
import { trackedTasks } from '@headwater/jobs/tracked-tasks'
import { startWorker } from '@headwater/jobs/worker'
import { inTransaction } from '@headwater/postgres/pool'
import { startProjection } from '@headwater/projections/run/projection'
import { toyBank, transferIdOf } from '@headwater/test-kit/toys/transfers'
import { serveTasks } from '../worker.ts'

const logger = createLogger({ service: 'bench', level: process.env.LOG_LEVEL ?? 'silent' })
const pollMs = 10
const jobsAtOnceMax = 8
const ordersAtOnce = 32

type Places = { readonly eventStoreUrl: string; readonly databaseUrl: string }

const until = async (holds: () => Promise<boolean>) => {
  while (!(await holds())) await sleep(pollMs)
}

const open = async ({ eventStoreUrl, databaseUrl }: Places) => {
  const store = connectEventStore({ url: eventStoreUrl, logger })
  const database = openDatabase(databaseUrl, logger)
  await database.prepare()
  const bank = toyBank(randomUUID().slice(0, 8))
  const accounts = createCommandHandler({ store, stream: bank.accountStream, logger })
  const orders = createCommandHandler({ store, stream: bank.orderStream, logger })
  const close = async () => {
    await store.close()
    await database.pool.end()
  }
  return { store, database, bank, accounts, orders, close }
}

const origin = () => {
  const commandId = randomUUID()
  return { commandId, requestHash: commandId, actor: 'bench' }
}

const tasks = {
  /** Jobs a second, of one append each, that all wait when the worker starts. */
  jobs: async ({ count, isQueued, ...places }: Places & { readonly count: number; readonly isQueued: boolean }) => {
    const { database, accounts, close } = await open(places)
    const { pool } = database
    const rows = Array.from({ length: count }, (_, n) => {
      const event = { id: randomUUID(), stream: `toy-${n}`, position: beginning, metadata: {}, recordedAt: new Date() }
      return jobRow(event, { kind: 'pay in', ...{ account: String(n) }, ...(isQueued && { queue: String(n) }) })
    })
    await inTransaction(pool, 'begin', (client) => enterJobs(client, rows))
    const task: Task<{ readonly account: string }> = {
      triesMax: 3,
      run: async (job) => {
        const data = { transferId: 'bench', amount: 1 }
        await accounts.handle({ ...originOf(job), id: job.account, command: { type: 'PutIn', data } })
      },
    }
    const startedAt = performance.now()
    const tracked = trackedTasks({ 'pay in': task }, openLedger(pool), logger)
    const worker = startWorker({ database, tasks: tracked, jobsAtOnceMax, pollEveryMs: 500, logger })
    await until(async () => {
      const text = 'select count(*)::int as left from headwater.jobs where done_at is null'
      return (await pool.query<{ left: number }>(text)).rows[0]?.left === 0
    })
    const tookMs = performance.now() - startedAt
    await worker.stop()
    await close()
    return (count * 1_000) / tookMs
  },

  /** Steps of processes a second: two to a transfer, of five appends each, which all wait when the runner starts. */
  steps: async ({ count, ...places }: Places & { readonly count: number }) => {
    const { store, database, bank, accounts, orders, close } = await open(places)
    const start = () => {
      const processes = processesOf([bank.bank], createProcessRunner({ store, logger }))
      const sink = openConsequencesSink({ ...processes, ...database, store, logger })
      return startProjection({ store, sink, projection: processes.projection, logger })
    }
    const first = start()
    await first.whenLive()
    await first.stop()
    const lapsesAt = new Date(Date.now() + 3_600_000).toISOString()
    const request = async (n: number) => {
      const data = { from: `a${n}`, to: `b${n}`, amount: 1, lapsesAt }
      const transferId = transferIdOf(data.from, data.to)
      await accounts.handle({
        ...origin(),
        id: data.from,
        command: { type: 'PutIn', data: { transferId: 'cash', amount: 1 } },
      })
      for (const type of ['OrderPlaced', 'OrderApproved'] as const)
        await orders.handle({ ...origin(), id: transferId, command: { type, data: { transferId, ...data } } })
    }
    for (let from = 0; from < count; from += ordersAtOnce)
      await Promise.all(Array.from({ length: Math.min(ordersAtOnce, count - from) }, (_, n) => request(from + n)))
    const startedAt = performance.now()
    const running = start()
    const balance = async (n: number) => (await store.readStream(`${bank.accountStream.category}-b${n}`, 0n, 1)).length
    await running.whenLive()
    await until(async () => (await Promise.all([0, count - 1].map(balance))).every((events) => events > 0))
    await until(async () => (await running.lagMs()) === 0)
    const tookMs = performance.now() - startedAt
    await running.stop()
    await close()
    return (2 * count * 1_000) / tookMs
  },
}

export type JobsTasks = typeof tasks

serveTasks(tasks)
