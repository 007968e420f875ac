// The worker of jobs ends without taking its process along, whatever Postgres does at that moment.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { testDatabase } from '@headwater/test-kit/database'
import { logger } from '@headwater/test-kit/toys/tills'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../src/database.ts'
import { startWorker } from '../src/worker.ts'

/** A way to Postgres on which the library's LISTEN is asked and never answered. */
const neverListening = async (to: URL) => {
  const asked = Promise.withResolvers<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(to.port), to.hostname)
    near.on('data', (bytes) => {
      if (bytes.includes('LISTEN "jobs:insert"')) asked.resolve(near)
      else far.write(bytes)
    })
    far.pipe(near)
    near.on('error', () => undefined).on('close', () => far.destroy())
    far.on('error', () => undefined).on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const url = new URL(to)
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, asked: asked.promise }
}

// The library gives that connection back twice; what the pool says to that is nobody's rejection and would end the process,
// here this test run.
test('a connection that is lost before it listens, while the worker ends', async () => {
  const postgres = await testDatabase()
  onTestFinished(postgres.remove)
  const line = await neverListening(new URL(postgres.url))
  const database = openDatabase(line.url, logger)
  const worker = startWorker({
    database,
    tasks: { nothing: async () => undefined },
    jobsAtOnceMax: 1,
    pollEveryMs: 100,
    logger,
  })
  const listener = await line.asked
  const stopped = worker.stop()
  await expect.poll(worker.trouble).toBeUndefined()
  listener.destroy()
  await stopped
  await database.pool.end()
  expect(database.pool.totalCount).toBe(0)
})

test('waits longer the oftener it fails in a row: a look for jobs that is answered ends the row', async () => {
  const postgres = await testDatabase()
  onTestFinished(postgres.remove)
  let row: number[] = []
  const write = (line: string) => {
    const { failures } = JSON.parse(line)
    if (failures) row.push(failures)
  }
  const database = openDatabase(postgres.url, logger)
  let done = 0
  const task = async () => {
    done++
  }
  const worker = startWorker({
    database,
    tasks: { task },
    jobsAtOnceMax: 1,
    pollEveryMs: 100,
    logger: pino({ level: 'warn' }, { write }),
  })
  for (const outage of [1, 2]) {
    await expect.poll(worker.trouble).toBeUndefined()
    await postgres.client.query(`select graphile_worker.add_job('task')`)
    await expect.poll(() => done).toBe(outage)
    row = []
    const mend = await postgres.interrupt()
    await expect.poll(() => row.length).toBeGreaterThanOrEqual(3)
    await mend()
    expect(row.slice(0, 3)).toEqual([1, 2, 3])
  }
  await worker.stop()
  await database.pool.end()
})

test('a retry far off is brought closer, of the kinds that the worker runs and of no others', async () => {
  const postgres = await testDatabase()
  onTestFinished(postgres.remove)
  const { client } = postgres
  const database = openDatabase(postgres.url, logger)
  await database.prepare()
  const add = (kind: string) =>
    client.query(`select graphile_worker.add_job('${kind}', run_at => now() + interval '1 hour')`)
  for (const kind of ['mine', 'other']) await add(kind)
  await client.query('update graphile_worker._private_jobs set attempts = 3')
  await add('mine')
  const tasks = { mine: async () => undefined }
  const worker = startWorker({ database, tasks, jobsAtOnceMax: 1, pollEveryMs: 100, retryDelayMsMax: 60_000, logger })
  const soon = `select task_identifier as kind, attempts from graphile_worker.jobs where run_at < now() + interval '2 minutes'`
  await expect.poll(async () => (await client.query(soon)).rows).toEqual([{ kind: 'mine', attempts: 3 }])
  await worker.stop()
  await database.pool.end()
})
