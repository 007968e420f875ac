// SQLite only: a file that is damaged or replaced while readers have it open.
import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { at, logger, putIn, storedAt, storeId, type TillRow, tills, until } from '@headwater/test-kit/toys/tills'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteQueries } from '../src/model/queries.ts'
import type { Checkpoint, Sink } from '../src/model/sink.ts'
import { stepOver } from '../src/model/step.ts'
import { openSqliteReader, type SqliteReader } from '../src/sqlite/reader.ts'
import { openSqliteSink } from '../src/sqlite/sink.ts'
import { listenToWaker } from '../src/sqlite/wake.ts'

let directory: string
let file: string
let sink: Sink
let reader: SqliteReader

const claimed = async (): Promise<Checkpoint> => {
  const checkpoint = await sink.claim(storeId)
  if (!checkpoint) throw new Error('The claim was refused.')
  return checkpoint
}

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sqlite-reader-'))
  file = path.join(directory, 'tills.v1.sqlite')
  sink = openSqliteSink({ directory, projection: tills, logger })
  await claimed()
  reader = openSqliteReader({ directory, projection: tills, logger })
})
afterEach(async () => {
  reader.close()
  await sink.close()
  rmSync(directory, { recursive: true, force: true })
})

test('waiting for a position times out when the file cannot be read, and the process survives', async () => {
  const waiting = reader.waitFor(at(5), 600)
  const other = new Database(file)
  other.exec('delete from checkpoint')
  other.close()
  expect(await waiting).toBe(false)
  expect(await reader.waitFor(at(5), 10)).toBe(false)
})

test('a reader switches to a file that has replaced the open one', async () => {
  await sink.commit(stepOver(tills, await claimed(), { events: [storedAt(1, putIn('a', 1))], position: at(1) }))
  expect(reader.checkpoint()).toEqual(at(1))
  await sink.close()
  for (const ending of ['', '-wal', '-shm']) rmSync(`${file}${ending}`, { force: true })
  sink = openSqliteSink({ directory, projection: tills, logger })
  await sink.commit(stepOver(tills, await claimed(), { events: [storedAt(7, putIn('b', 1))], position: at(7) }))
  await until('the new file is read', () => reader.ready() && reader.checkpoint().commit === 7n)
})

test('a copy replaces the current file with all its rows, also while another connection has it open', async () => {
  const copy = sink.scratch?.open()
  const from = await copy?.claim(storeId)
  if (!copy || !from) throw new Error('The claim was refused.')
  await copy.commit(stepOver(tills, from, { events: [storedAt(1, putIn('a', 1))], position: at(1) }))
  const other = new Database(path.join(directory, 'tills.v1.rebuild.sqlite'), { readonly: true })
  expect(other.prepare('select * from tills').all()).toHaveLength(1)
  await copy.close()
  await sink.scratch?.swap()
  await until('it is read', () => reader.ready() && reader.checkpoint().commit === 1n)
  expect((await claimed()).position).toEqual(at(1))
  other.close()
})

test('a reader notices a file that was replaced while it was being opened', async () => {
  const other = mkdtempSync(path.join(directory, 'other-'))
  const newer = openSqliteSink({ directory: other, projection: tills, logger })
  const from = await newer.claim(storeId)
  if (!from) throw new Error('The claim was refused.')
  await newer.commit(stepOver(tills, from, { events: [], position: at(7) }))
  await newer.close()
  const link = path.join(directory, 'link')
  symlinkSync(path.join(other, 'tills.v1.sqlite'), link)
  let looks = 0
  const opened = openSqliteReader({
    directory,
    projection: {
      ...tills,
      // Read once the file is open.
      get tables() {
        if (looks++ === 0) renameSync(link, file)
        return tills.tables
      },
    },
    logger,
  })
  await until('the new one is read', () => opened.ready() && opened.checkpoint().commit === 7n)
  expect(looks).toBeGreaterThan(1)
  opened.close()
})

test('tables of another shape under the same version are not read', async () => {
  const other = openSqliteReader({
    directory,
    projection: { ...tills, tables: { tills: { ...tills.tables.tills, indexes: [] } } },
    logger,
  })
  expect(other.ready()).toBe(false)
  expect(() => other.checkpoint()).toThrow(expect.objectContaining({ code: 'read_model_not_ready' }))
  other.close()
})

test('a reader without a writer to wake it finds commits by polling', async () => {
  rmSync(path.join(directory, 'tills.v1.sock'), { force: true })
  const unheard = openSqliteReader({ directory, projection: tills, logger })
  const reached = unheard.waitFor(at(1), 20_000)
  await sink.commit(stepOver(tills, await claimed(), { events: [storedAt(1, putIn('a', 1))], position: at(1) }))
  expect(await reached).toBe(true)
  unheard.close()
})

test('one read sees one state, also when the writer commits meanwhile', async () => {
  const all = sqliteQueries<{ tills: TillRow }>().selectFrom('tills').selectAll().compile()
  const step = stepOver(tills, await claimed(), { events: [storedAt(1, putIn('a', 1))], position: at(1) })
  const { value, checkpoint } = reader.read((db) => {
    const before = db.rows(all)
    void sink.commit(step)
    return [...before, ...db.rows(all)]
  })
  expect(value).toEqual([])
  expect(checkpoint).toEqual(at(0))
  expect(reader.checkpoint()).toEqual(at(1))
})

test('a commit wakes its listeners', async () => {
  await until('the socket is there', () => existsSync(path.join(directory, 'tills.v1.sock')))
  let woken = 0
  const listener = listenToWaker(
    path.join(directory, 'tills.v1.sock'),
    () => woken++,
    () => undefined,
  )
  await until('it is connected', () => woken > 0)
  const heard = woken
  let checkpoint = await claimed()
  await until('it is woken', async () => {
    const place = Number(checkpoint.position.commit) + 1
    const step = stepOver(tills, checkpoint, { events: [storedAt(place, putIn('a', 1))], position: at(place) })
    await sink.commit(step)
    checkpoint = step.to
    return woken > heard
  })
  listener.close()
})
