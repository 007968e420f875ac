// Rows count as fresh only when a running writer has asked the store after the read began.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { beginning, comparePosition, type Position } from '@headwater/eventstore/position'
import { assignNewStoreId } from '@headwater/eventstore/store-name'
import { logger, putIn, tillsOf, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Currency, watchCurrency } from '../src/freshness/freshness.ts'
import { startProjection } from '../src/run/projection.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'
import { openSqliteReader, type SqliteReader } from '../src/sqlite/reader.ts'
import { openSqliteSink } from '../src/sqlite/sink.ts'

/** Longer than any step of these tests. */
const patienceMs = 20_000
const impatienceMs = 100

const category = `till${randomUUID().replaceAll('-', '')}`
const tills = tillsOf(category)
let directory: string
let store: EventStore
let stopStore: () => Promise<void>
let projection: RunningProjection
let reader: SqliteReader

const project = async () => {
  projection = startProjection({
    store,
    sink: openSqliteSink({ directory, projection: tills, logger }),
    projection: tills,
    logger,
  })
  await projection.whenLive()
}
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'currency-'))
  const node = await start({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
  stopStore = node.stop
  await project()
  reader = openSqliteReader({ directory, projection: tills, logger })
  await until('the writer is connected', () =>
    reader.needed().then(
      () => true,
      () => false,
    ),
  )
})
afterEach(async () => {
  reader.close()
  await projection.stop()
  await store.close()
  await stopStore()
  rmSync(directory, { recursive: true })
})

/** Appends to a new stream. */
const append = async (stream: string): Promise<Position> => {
  const event = { id: randomUUID(), ...putIn(stream, 1), metadata: {} }
  const appended = await store.append(stream, [event], 'no_stream')
  if (appended.outcome !== 'appended') throw new Error('the event was not appended')
  return appended.position
}
const ownStream = () => `${category}-${randomUUID()}`

const isCurrent = async (currency: Currency, withinMs: number) =>
  (await currency.read(() => 'read', withinMs))?.value === 'read'

test('rows are fresh in an empty store, after events of their own categories and after those of others', async () => {
  const currency = watchCurrency(reader)
  expect(currency.knownAt()).toBeUndefined()
  expect(await isCurrent(currency, patienceMs)).toBe(true)
  for (const stream of [ownStream(), 'other-1', 'other-2', ownStream(), 'other-3']) {
    const position = await append(stream)
    const read = await currency.read(() => undefined, patienceMs)
    if (stream.startsWith(category)) expect(comparePosition(read?.checkpoint ?? beginning, position)).toBe(0)
    else expect(read).toBeDefined()
  }
  expect(currency.knownAt()).toBeInstanceOf(Date)
  expect(await currency.trouble()).toBeUndefined()
})

test('rows are not fresh while an event of their categories lies ahead of them, nor without a writer', async () => {
  const currency = watchCurrency(reader)
  expect(await isCurrent(currency, patienceMs)).toBe(true)
  await projection.stop()
  const position = await append(ownStream())
  expect(await isCurrent(currency, impatienceMs)).toBe(false)
  // The writer's rows are behind, as after it has stopped at a bad event.
  const behind = watchCurrency({ ...reader, needed: async () => position })
  expect(await isCurrent(behind, impatienceMs)).toBe(false)
  expect(behind.knownAt()).toBeUndefined()
  expect(await behind.trouble()).toMatch(/^It stands still at \d+\/\d+: newer events are not in it\.$/)
  await project()
  await until('it is current again', () => isCurrent(currency, impatienceMs))
  expect(await isCurrent(behind, patienceMs)).toBe(true)
})

test('rows of another history are not fresh, though no event lies ahead of them', async () => {
  const currency = watchCurrency(reader)
  await append(ownStream())
  expect(await isCurrent(currency, patienceMs)).toBe(true)
  await projection.stop()
  await assignNewStoreId(store) // as after a restore
  projection = startProjection({
    store,
    sink: openSqliteSink({ directory, projection: tills, logger }),
    projection: tills,
    logger,
  })
  await until('it refuses', () => projection.status().rebuildNeeded)
  await until('the reader is connected to the new writer, which has no answer', () =>
    reader.needed().then(
      () => true,
      ({ message }: Error) => message === 'The writer cannot tell.',
    ),
  )
  expect(await isCurrent(currency, impatienceMs)).toBe(false)
  expect(await currency.trouble()).toMatch(/^It is not known to be current since /)
})

test('rows are not fresh while the writer does not answer, though no event lies ahead', async () => {
  const silent = watchCurrency({ ...reader, needed: () => new Promise(() => undefined) })
  expect(await isCurrent(silent, impatienceMs)).toBe(false)
})

test('rows are not fresh while the store does not answer', async () => {
  const currency = watchCurrency(reader)
  expect(await isCurrent(currency, patienceMs)).toBe(true)
  await stopStore()
  expect(await isCurrent(currency, impatienceMs)).toBe(false)
})

test('older rows of another writer are not fresh because the rows of this writer are', async () => {
  await append(ownStream())
  await until('the projection is there', () => projection.lagMs().then((lag) => lag === 0))
  const rebuilt = watchCurrency({
    ...reader,
    read: (work) => reader.read((db) => work(db, beginning)),
    waitFor: async () => false,
  })
  expect(await isCurrent(rebuilt, patienceMs)).toBe(false)
})

test('concurrent reads share one question to the writer, and an error of one read does not fail the others', async () => {
  const questions = { asked: 0 }
  const counting = watchCurrency({
    ...reader,
    needed: () => {
      questions.asked++
      return reader.needed()
    },
  })
  const failing = counting.read(() => {
    throw new Error('in the work')
  }, patienceMs)
  const answers = Array.from({ length: 50 }, () => isCurrent(counting, patienceMs))
  await expect(failing).rejects.toThrow('in the work')
  expect(await Promise.all(answers)).toEqual(answers.map(() => true))
  expect(questions.asked).toBe(1)
})
