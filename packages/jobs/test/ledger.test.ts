// Jobs in the queue: order by name only, merging, running later, jobs that follow from jobs, and schedules.
import { randomUUID } from 'node:crypto'
import type { RequestedJob } from '@headwater/deciders/reaction'
import type { Schedule } from '@headwater/deciders/schedule'
import { beginning } from '@headwater/eventstore/position'
import { inTransaction } from '@headwater/postgres/pool'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { logger, until } from '@headwater/test-kit/toys/tills'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../src/database.ts'
import { enterJobs } from '../src/ledger/enter-jobs.ts'
import { openLedger } from '../src/ledger/ledger.ts'
import { readJobsOverview } from '../src/overview.ts'
import { jobRow } from '../src/reactions.ts'
import { enterDue } from '../src/schedules.ts'
import type { Task } from '../src/task.ts'
import { trackedTasks } from '../src/tracked-tasks.ts'
import { startWorker } from '../src/worker.ts'

let database: TestDatabase
let pool: Pool
let prepare: () => Promise<void>

beforeAll(async () => {
  database = await testDatabase()
  const opened = openDatabase(database.url, logger)
  pool = opened.pool
  prepare = opened.prepare
  await prepare()
})
afterAll(async () => {
  await pool.end()
  await database.remove()
})

const happened = (stream = 'toy-1') => ({
  id: randomUUID(),
  stream,
  position: beginning,
  metadata: {},
  recordedAt: new Date(),
})

/** @param jobs each of an event of its own */
const enter = (jobs: readonly RequestedJob[], stream?: string) =>
  inTransaction(pool, 'begin', (client) =>
    enterJobs(
      client,
      jobs.map((job) => jobRow(happened(stream), job)),
    ),
  )

const work = (kind: string, run: Task<{ readonly n?: number }>['run'], jobsAtOnceMax = 4) => {
  const tasks = trackedTasks({ [kind]: { run, triesMax: 3 } }, openLedger(pool), logger)
  const worker = startWorker({ database: { pool, prepare }, tasks, jobsAtOnceMax, pollEveryMs: 50, logger })
  onTestFinished(worker.stop)
}

const ledgerOf = async (kind: string) => {
  const text = `select done_at is not null as done, replaced_at is not null as replaced, sends, run_at
    from headwater.jobs where kind = $1 order by entered_at, id`
  return (await pool.query(text, [kind])).rows
}
const queuedOf = async (kind: string) => {
  const text = 'select queue_name, run_at from graphile_worker.jobs where task_identifier = $1'
  return (await pool.query(text, [kind])).rows
}

/** Jobs that meet inside: the most that ran at once. */
const meeting = (needed: number) => {
  const met = Promise.withResolvers<void>()
  const counts = { inside: 0, most: 0, ran: [] as (number | undefined)[] }
  const run: Task<{ readonly n?: number }>['run'] = async ({ n }) => {
    counts.most = Math.max(counts.most, ++counts.inside)
    counts.ran.push(n)
    if (counts.inside === needed) met.resolve()
    await met.promise
    counts.inside--
  }
  return { counts, run }
}

const numbered = (kind: string, count: number, more: Partial<RequestedJob> = {}) =>
  Array.from({ length: count }, (_, n) => ({ kind, n, ...more }))

test('jobs of one stream run at once when they name no queue', async () => {
  const { counts, run } = meeting(3)
  await enter(numbered('unordered', 3))
  work('unordered', run)
  await until('all are done', async () => (await ledgerOf('unordered')).every(({ done }) => done))
  expect(counts.most).toBe(3)
})

test('jobs of one queue run one after the other, in the order in which they were entered', async () => {
  const { counts, run } = meeting(1)
  await enter(numbered('ordered', 5, { queue: 'a patient' }))
  work('ordered', run)
  await until('all are done', async () => (await ledgerOf('ordered')).every(({ done }) => done))
  expect(counts).toMatchObject({ most: 1, ran: [0, 1, 2, 3, 4] })
})

test('a merged job runs once for all events that ask for it, at the time of the first, and again for one that asks while it runs', async () => {
  const merged = (n: number): RequestedJob => ({ kind: 'merged', ...{ n }, merge: { key: 'a', withinMs: 400 } })
  await enter([merged(1), merged(2)])
  const [first] = await queuedOf('merged')
  await enter([merged(3)])
  await enter([{ ...merged(4), merge: { key: 'b', withinMs: 3_600_000 } }])
  const queued = await queuedOf('merged')
  expect(queued).toHaveLength(2)
  expect(queued.map(({ run_at }) => run_at)).toContainEqual(first?.run_at)
  const ran: (number | undefined)[] = []
  work('merged', async ({ n }) => {
    if (ran.push(n) === 1) await enter([merged(5)])
  })
  await until('it has run twice', () => ran.length === 2)
  expect(ran).toEqual([3, 5])
})

test('a job that ends with later runs again without a failure, and is done once', async () => {
  let runs = 0
  await enter([{ kind: 'later' }])
  work('later', async (_job, { later }) => {
    if (++runs < 3) later(20)
  })
  await until('it is done', async () => (await ledgerOf('later'))[0]?.done)
  expect(runs).toBe(3)
  expect(await queuedOf('later')).toEqual([])
})

test('a worker that is killed right after later leaves one job, not two, and nothing that operators would see as due', async () => {
  await enter([{ kind: 'killed' }])
  const [id] = (await pool.query("select id from headwater.jobs where kind = 'killed'")).rows.map((row) => row.id)
  // The library hands the job out as to a worker, which then dies.
  await pool.query(
    "update graphile_worker._private_jobs set locked_at = now(), locked_by = 'dead', attempts = 1 where key = $1",
    [id],
  )
  await openLedger(pool).later(id, 0)
  await pool.query("select graphile_worker.force_unlock_workers(array['dead'])")
  let runs = 0
  work('killed', async () => {
    runs++
  })
  await until('it is done', async () => (await ledgerOf('killed'))[0]?.done)
  await until('nothing is left', async () => {
    const { jobs } = await readJobsOverview(pool)
    return jobs.every(({ kind }) => kind !== 'killed')
  })
  expect(runs).toBe(1)
})

test('jobs that a task adds are entered once, however often it is run', async () => {
  let runs = 0
  await enter([{ kind: 'adding' }])
  work('adding', async (_job, { add }) => {
    await add([{ kind: 'added' }, { kind: 'added', key: 'b', dueAt: '2999-01-01T00:00:00Z' }])
    if (++runs === 1) throw new Error('The task fails after it has added them.')
  })
  await until('it is done', async () => (await ledgerOf('adding'))[0]?.done, 45_000)
  expect(runs).toBe(2)
  expect(await ledgerOf('added')).toHaveLength(2)
})

const schedule = (name: string, catchUp: Schedule['catchUp'] = 'all'): Schedule => ({
  name,
  everyMs: 60_000,
  catchUp,
  job: (periodStart) => ({ kind: name, ...{ periodStart } }),
})
/** Sets the last look back by this many periods; a negative number stands for a clock that was ahead. */
const lookedPeriodsAgo = (name: string, periods: number) =>
  pool.query('update headwater.schedules set last_period = last_period - $2 where name = $1', [name, periods])

test('a period is done once, however many processes look, also when the clock is set back', async () => {
  const one = schedule('counted')
  await enterDue(pool, one)
  expect(await ledgerOf('counted')).toEqual([])
  await lookedPeriodsAgo('counted', 1)
  await Promise.all([enterDue(pool, one), enterDue(pool, one), enterDue(pool, one)])
  const entered = (await ledgerOf('counted')).length
  // The next period may have started meanwhile.
  expect([1, 2]).toContain(entered)
  await lookedPeriodsAgo('counted', -5)
  await enterDue(pool, one)
  expect(await ledgerOf('counted')).toHaveLength(entered)
  await lookedPeriodsAgo('counted', 6)
  await enterDue(pool, one)
  expect((await ledgerOf('counted')).length - entered).toBeLessThanOrEqual(1)
})

test.each([
  ['all', 10, 11],
  ['last', 1, 1],
  ['skip', 0, 1],
] as const)('after ten missed periods, catching up %s does as many as it says', async (catchUp, min, max) => {
  const name = `missed ${catchUp}`
  await enterDue(pool, schedule(name, catchUp))
  await lookedPeriodsAgo(name, 10)
  await enterDue(pool, schedule(name, catchUp))
  const { length } = await ledgerOf(name)
  expect(length).toBeGreaterThanOrEqual(min)
  expect(length).toBeLessThanOrEqual(max)
  await enterDue(pool, schedule(name, catchUp))
  expect((await ledgerOf(name)).length).toBeLessThanOrEqual(max)
})
