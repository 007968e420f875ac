// A damaged SQLite file stops the projection until a rebuild; temporary errors are retried; stand-by takes over only with cause.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { logger, putIn, tillsOf, until } from '@headwater/test-kit/toys/tills'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { startProjection } from '../src/run/projection.ts'
import { checkpointQuery } from '../src/sqlite/file.ts'
import { openSqliteSink } from '../src/sqlite/sink.ts'

let directory: string
let file: string
let store: EventStore
let category: string
let stopStore: () => Promise<unknown>

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sqlite-damage-'))
  file = path.join(directory, 'tills.v1.sqlite')
  category = `till${randomUUID().replaceAll('-', '')}`
  const given = process.env.EVENTSTORE_URL
  const node = given ? undefined : await start({ port: 0, memory: true })
  store = connectEventStore({ url: given ?? node?.connectionString ?? '', logger })
  stopStore = async () => {
    await store.close()
    await node?.stop()
  }
})
afterEach(async () => {
  await stopStore()
  rmSync(directory, { recursive: true })
})

const openSink = () => openSqliteSink({ directory, projection: tillsOf(category), logger })
const project = (from: EventStore = store) => {
  const projection = startProjection({ store: from, sink: openSink(), projection: tillsOf(category), logger })
  onTestFinished(() => projection.stop())
  return projection
}
const append = async () => {
  const id = randomUUID()
  const event = { ...putIn(id, 1), id: randomUUID(), metadata: {} }
  await store.append(`${category}-${id}`, [event], 'no_stream')
}

/** The checkpoint as stored in the file. */
const openedCheckpoint = async () => {
  const db = new Database(file, { readonly: true })
  const stored = checkpointQuery(db)()
  db.close()
  if (!stored) throw new Error('There is no checkpoint.')
  return stored.checkpoint
}

const expectRebuildNeeded = async (projection: ReturnType<typeof project>) => {
  await until('it has stopped', () => projection.status().state === 'stopped')
  expect(projection.status()).toMatchObject({ rebuildNeeded: true })
  expect(projection.status().reason).toContain('headwater -- projections rebuild tills')
}

test('a file that is no database needs a rebuild and is not retried', async () => {
  writeFileSync(file, 'This is not a database. '.repeat(1_000))
  await expectRebuildNeeded(project())
})

test('a file without its tables needs a rebuild and is not retried', async () => {
  const projection = project()
  await projection.whenLive()
  const other = new Database(file)
  other.exec('drop table tills')
  other.close()
  await append()
  await expectRebuildNeeded(projection)
})

test('a file with damaged pages needs a rebuild and is not retried', async () => {
  const before = project()
  await before.whenLive()
  await append()
  await before.stop()
  const page = 4_096
  const other = new Database(file)
  other.pragma('wal_checkpoint(truncate)')
  const pages = Number(other.pragma('page_count', { simple: true }))
  other.close()
  // All but the first page, which identifies a database.
  writeFileSync(file, Buffer.concat([readFileSync(file).subarray(0, page), Buffer.alloc((pages - 1) * page, 0x5a)]))
  await expectRebuildNeeded(project())
})

test.each([
  ['SQLITE_BUSY', 'unavailable'],
  ['SQLITE_LOCKED', 'unavailable'],
  ['SQLITE_IOERR_FSYNC', 'unavailable'],
  ['SQLITE_FULL', 'unavailable'],
  ['SQLITE_CANTOPEN', 'unavailable'],
  ['SQLITE_CONSTRAINT_NOTNULL', 'refused'],
  ['SQLITE_CORRUPT_INDEX', 'broken'],
  ['SQLITE_NOTADB', 'broken'],
  ['SQLITE_ERROR', 'broken'],
])('the error %s is blamed as %s', (code, blame) => {
  expect(openSink().blame(new Database.SqliteError('trouble', code))).toBe(blame)
})

test('a process on stand-by does not take over from a writer that is idle because no event lies ahead', async () => {
  let looks = 0
  const watched: EventStore = {
    ...store,
    eventAfter: async (...args) => {
      looks++
      return store.eventAfter(...args)
    },
  }
  const first = project(watched)
  await first.whenLive()
  const second = project()
  await second.whenLive()
  await append()
  // It notices the other writer at its next write.
  await until('the first stands by', () => first.status().state === 'standing by')
  await until('the second has written', () => second.status().state === 'live')
  const { epoch } = await openedCheckpoint()
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const hour = 3_600_000
  const passing = () => {
    vi.setSystemTime(Date.now() + 1_000)
    return looks > 3
  }
  await until('it has looked a few times what lies ahead', passing, hour)
  expect(first.status().state).toBe('standing by')
  expect((await openedCheckpoint()).epoch).toBe(epoch)
})
