// Postgres only: one lease holder at a time, concurrent migrations, and a writer stuck in a transaction.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { takeLease } from '@headwater/postgres/lease'
import { migrate } from '@headwater/postgres/migrate'
import { openPool } from '@headwater/postgres/pool'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { at, logger, putIn, storedAt, storeId, type TillRow, tills, until } from '@headwater/test-kit/toys/tills'
import type pg from 'pg'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { postgresQueries } from '../src/model/queries.ts'
import { stepOver } from '../src/model/step.ts'
import { openPostgresReader } from '../src/postgres/reader.ts'
import { openPostgresSink } from '../src/postgres/sink.ts'

let database: TestDatabase
let pool: pg.Pool

beforeEach(async () => {
  database = await testDatabase()
  pool = openPool(database.url, 4, logger)
})
afterEach(async () => {
  await pool.end()
  await database.remove()
})

const runOut = () =>
  database.client.query(`update headwater.leases set expires_at = clock_timestamp() - interval '1 ms'`)

test('several processes can migrate at once, and repeat it', async () => {
  const database = await testDatabase({ empty: true })
  onTestFinished(database.remove)
  const pool = openPool(database.url, 4, logger)
  onTestFinished(() => pool.end())
  await Promise.all([1, 2, 3, 4].map(() => migrate(pool)))
  await migrate(pool)
  const { rows } = await database.client.query('select name from headwater.migrations')
  const files = readdirSync(path.join(import.meta.dirname, '../../postgres/src/migrations')).filter((name) =>
    /^\d/.test(name),
  )
  expect(rows).toEqual(files.sort().map((file) => ({ name: path.parse(file).name })))
})

test('a release works beside the tables of a newer one', async () => {
  await migrate(pool)
  await database.client.query(
    `insert into headwater.migrations (name, timestamp) values ('999-of-a-newer-release', '9999-12-31T00:00:00.000Z')`,
  )
  await migrate(pool)
})

test('a query that Postgres refuses keeps its connection in the pool, and a lost connection leaves it', async () => {
  let connections = 0
  pool.on('connect', () => connections++)
  for (let count = 0; count < 3; count++)
    await expect(pool.query('select from missing_table')).rejects.toThrow('does not exist')
  expect(connections).toBe(1)
  await expect(pool.query('select pg_terminate_backend(pg_backend_pid())')).rejects.toThrow()
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(connections).toBe(2)
})

test('only one of many gets the lease', async () => {
  const taken = await Promise.all(['a', 'b', 'c', 'd'].map((holder) => takeLease(pool, 'work', holder, logger)))
  const held = taken.filter((lease) => lease !== undefined)
  expect(held).toHaveLength(1)
  await held[0]?.release()
})

test('a lease that was released or has expired can be taken, each time with a higher epoch', async () => {
  const first = await takeLease(pool, 'work', 'a', logger)
  expect(await takeLease(pool, 'work', 'b', logger)).toBeUndefined()
  await first?.release()
  const second = await takeLease(pool, 'work', 'b', logger)
  await runOut()
  const third = await takeLease(pool, 'work', 'a', logger)
  expect([first, second, third].map((lease) => lease?.epoch)).toEqual([1n, 2n, 3n])
  await second?.release()
  expect(await takeLease(pool, 'work', 'c', logger)).toBeUndefined()
  await third?.release()
})

test('a held lease is renewed', async () => {
  const lease = await takeLease(pool, 'work', 'a', logger)
  const read = async () =>
    (await pool.query('select expires_at, expires_at > clock_timestamp() as held from headwater.leases')).rows[0]
  const before = (await read()).expires_at
  await until('it is renewed before it runs out', async () => {
    const { expires_at: expiresAt, held } = await read()
    return held && expiresAt > before
  })
  await lease?.release()
})

test('a successor takes over though the holder is stopped inside a transaction', async () => {
  const holder = openPostgresSink({ url: database.url, projection: tills, logger })
  const held = await holder.claim(storeId)
  // Like a stopped process: a transaction that never ends locks the checkpoint.
  const stuck = await pool.connect()
  await stuck.query('begin')
  await stuck.query('update tills_v1.checkpoint set epoch = epoch')
  await holder.close()
  const successor = openPostgresSink({ url: database.url, projection: tills, logger })
  let claimed = held
  await until('the successor has claimed', async () => {
    claimed = await successor.claim(storeId).catch(() => undefined)
    return claimed !== undefined
  })
  expect(claimed?.epoch).toBeGreaterThan(held?.epoch ?? 0n)
  await expect(stuck.query('commit')).rejects.toThrow()
  stuck.release(true)
  await successor.close()
})

test('a writer takes over while a long read of the whole read model runs, such as a backup', async () => {
  const first = openPostgresSink({ url: database.url, projection: tills, logger })
  await first.claim(storeId)
  await first.close()
  await database.client.query(
    'begin; lock table tills_v1.checkpoint, tills_v1.tills, tills_v1.feed in access share mode',
  )
  const second = openPostgresSink({ url: database.url, projection: tills, logger })
  expect(await second.claim(storeId)).toMatchObject({ storeId })
  await database.client.query('rollback')
  await second.close()
})

test('one read sees one state, also when the writer commits meanwhile', async () => {
  const sink = openPostgresSink({ url: database.url, projection: tills, logger })
  const from = await sink.claim(storeId)
  if (!from) throw new Error('The claim was refused.')
  const reader = openPostgresReader({ url: database.url, projection: tills, logger })
  const all = postgresQueries<{ tills: TillRow }>().withSchema('tills_v1').selectFrom('tills').selectAll().compile()
  const { value, checkpoint } = await reader.read(async (db) => {
    const before = await db.rows(all)
    await sink.commit(stepOver(tills, from, { events: [storedAt(1, putIn('a', 1))], position: at(1) }))
    return [...before, ...(await db.rows(all))]
  })
  expect(value).toEqual([])
  expect(checkpoint).toEqual(at(0))
  expect(await reader.checkpoint()).toEqual(at(1))
  await reader.close()
  await sink.close()
})

test('a query that waits for a lock fails soon, and does not wait until the holder is done', async () => {
  await pool.query('create table locked (one int); insert into locked values (1)')
  await database.client.query('begin; update locked set one = 2')
  await expect(pool.query('update locked set one = 3')).rejects.toMatchObject({ code: '55P03' })
  await database.client.query('rollback')
})
