// A new node starts from a peer's seed instead of from the first event, unless the seed cannot be trusted.
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { logger as silent, type TillEvent, type TillRow, tillsOf, until } from '@headwater/test-kit/toys/tills'
import Database from 'better-sqlite3'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { sqliteQueries } from '../src/model/queries.ts'
import { startProjection } from '../src/run/projection.ts'
import { openSqliteReader } from '../src/sqlite/reader.ts'
import { makeSeed, withSeed } from '../src/sqlite/seed.ts'
import { openSqliteSink } from '../src/sqlite/sink.ts'

const category = `till${randomUUID().replaceAll('-', '')}`
const tills = tillsOf(category)
const all = sqliteQueries<{ tills: TillRow }>().selectFrom('tills').selectAll().orderBy('tillId').compile()

const newFolder = () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'seed-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

const startStore = async () => {
  const node = await start({ memory: true })
  const store = connectEventStore({ url: node.connectionString, logger: silent })
  onTestFinished(async () => {
    await store.close()
    await node.stop()
  })
  return store
}

const putIn = async (store: EventStore, tillId: string, amount: number) => {
  const event: TillEvent = { type: 'MoneyPutIn', data: { tillId, amount } }
  const outcome = await store.append(
    `${category}-${tillId}`,
    [{ ...event, id: randomUUID(), metadata: {} }],
    'no_stream',
  )
  if (outcome.outcome !== 'appended') throw new Error(outcome.outcome)
  return outcome.position
}

/** A node with its folder; `said` are its log messages. */
const startNode = async (
  store: EventStore,
  seedDirectory = '',
  change: Partial<typeof tills> = {},
  directory = newFolder(),
) => {
  const said: { msg: string; why?: string }[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void said.push(JSON.parse(line)) })
  const projection = { ...tills, ...change }
  const options = { directory, projection, logger }
  const sink = withSeed(openSqliteSink(options), { ...options, seedDirectory, store })
  const running = startProjection({ store, sink, projection, logger })
  onTestFinished(running.stop)
  await running.whenLive()
  const reader = openSqliteReader({ directory, projection: tills, logger: silent })
  onTestFinished(reader.close)
  return {
    directory,
    running,
    reader,
    amounts: () => Object.fromEntries(reader.rows(all).value.map(({ tillId, amount }) => [tillId, amount])),
    refusals: () => said.filter(({ msg }) => msg.startsWith('the seed is refused')).map(({ why }) => why),
  }
}

const seedOf = (directory: string) => {
  const folder = newFolder()
  const file = path.join(folder, 'tills.v1.sqlite')
  return { folder, file, position: makeSeed(directory, tills, file) }
}

/** A peer with three tills, and a seed of them. */
const startPeer = async () => {
  const store = await startStore()
  for (const tillId of ['a', 'b', 'c']) await putIn(store, tillId, 1)
  const peer = await startNode(store)
  return { store, peer }
}

test('a new node reads only events after its seed, and its tokens are valid at the peer', async () => {
  const { store, peer } = await startPeer()
  const { folder, file, position } = seedOf(peer.directory)
  expect(position).toEqual(peer.running.status().position)
  expect(readdirSync(folder)).toEqual(['tills.v1.sqlite'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const { token } = peer.reader.rows(all)
  const last = await putIn(store, 'd', 5)
  chmodSync(file, 0o444)

  const node = await startNode(store, folder)
  expect(await node.reader.waitFor(last, 20_000)).toBe(true)
  expect(node.amounts()).toEqual({ a: 1, b: 1, c: 1, d: 5 })
  expect(node.running.status().handled).toBe(1)
  expect(node.refusals()).toEqual([])
  expect(statSync(path.join(node.directory, 'tills.v1.sqlite')).mode & 0o777).toBe(0o600)
  expect(readdirSync(node.directory).filter((name) => name.includes('seed'))).toEqual([])
  expect(node.reader.changesSince(token, 10)).toMatchObject({ changes: [{ key: 'd' }] })
})

test('a seed of a rebuilt read model, whose file is a link, is complete', async () => {
  const { store, peer } = await startPeer()
  const wishes = openSqliteSink({ directory: peer.directory, projection: tills, logger: silent }).wishes
  await wishes?.add({ kind: 'rebuild', eventId: '', by: 'nils', at: new Date(), coresMax: 2 })
  await until('it is built again', async () => (await wishes?.all())?.length === 0)
  const { folder, file } = seedOf(peer.directory)
  expect(statSync(file).isFile()).toBe(true)
  // A second seed replaces the first.
  await putIn(store, 'd', 1)
  await until('it has it', () => peer.amounts().d === 1)
  makeSeed(peer.directory, tills, file)
  expect(readdirSync(folder)).toEqual(['tills.v1.sqlite'])
  const node = await startNode(store, folder)
  expect(node.running.status().handled).toBe(0)
  expect(node.amounts()).toEqual({ a: 1, b: 1, c: 1, d: 1 })
})

test('a node with a read model ignores the seed', async () => {
  const { store, peer } = await startPeer()
  const { folder, file } = seedOf(peer.directory)
  writeFileSync(file, 'nothing that SQLite knows')
  await peer.running.stop()
  const again = await startNode(store, folder, {}, peer.directory)
  expect(again.refusals()).toEqual([])
  expect(again.running.status().handled).toBe(0)
})

test('a damaged seed is refused with a reason, and all events are read instead', async () => {
  const { store, peer } = await startPeer()
  const { folder, file } = seedOf(peer.directory)
  const bytes = readFileSync(file)
  // A page in the middle; the file header stays valid.
  writeFileSync(file, bytes.fill(0xff, 2 * 4096, 3 * 4096))
  const node = await startNode(store, folder)
  expect(node.refusals()).toEqual([expect.stringMatching(/damaged|malformed/)])
  expect(node.running.status().handled).toBe(3)
  expect(node.amounts()).toEqual({ a: 1, b: 1, c: 1 })
})

test('a seed that is no database and a seed of another shape are refused', async () => {
  const { store, peer } = await startPeer()
  const { folder, file } = seedOf(peer.directory)
  writeFileSync(file, 'nothing that SQLite knows')
  expect((await startNode(store, folder)).refusals()).toEqual([expect.stringContaining('not a database')])
  rmSync(file)
  makeSeed(peer.directory, tills, file)
  const db = new Database(file)
  db.prepare("update checkpoint set shape = 'another'").run()
  db.close()
  const node = await startNode(store, folder)
  expect(node.refusals()).toEqual([expect.stringContaining('tables of version 1')])
  expect(node.amounts()).toEqual({ a: 1, b: 1, c: 1 })
})

test('a seed of another version is ignored', async () => {
  const { store, peer } = await startPeer()
  const { folder } = seedOf(peer.directory)
  const node = await startNode(store, folder, { version: 2 })
  expect(node.running.status().handled).toBe(3)
  expect(node.refusals()).toEqual([])
})

test('a seed of another store and a seed ahead of this store are refused', async () => {
  const { store, peer } = await startPeer()
  const { folder, file } = seedOf(peer.directory)
  const other = await startStore()
  await putIn(other, 'z', 1)
  const node = await startNode(other, folder)
  expect(node.refusals()).toEqual(['This is another event store.'])
  expect(node.amounts()).toEqual({ z: 1 })

  const db = new Database(file)
  db.prepare('update checkpoint set commitPosition = 1000, preparePosition = 1000').run()
  db.close()
  const behind = await startNode(store, folder)
  expect(behind.refusals()).toEqual([expect.stringMatching(/ends before the checkpoint 1000\/1000/)])
  expect(behind.amounts()).toEqual({ a: 1, b: 1, c: 1 })
})

test('a missing read model gives no seed', () => {
  const folder = newFolder()
  expect(() => makeSeed(folder, tills, path.join(folder, 'seed.sqlite'))).toThrow(/There is no .*tills\.v1\.sqlite/)
  expect(readdirSync(folder)).toEqual([])
})
