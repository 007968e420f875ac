// A read model is called current only when that is shown: by the store, after the question, and by a writer that lives.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client'
import type { Position } from '@headwater/eventstore/position'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { watchCurrency } from '../src/currency.ts'
import { type RunningProjection, startProjection } from '../src/projection.ts'
import { openSqliteSink } from '../src/sqlite.ts'
import { openSqliteReader, type SqliteReader } from '../src/sqlite-reader.ts'
import { logger, putIn, tillsOf, until } from './support.ts'

/** Longer than anything here takes. */
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
    reader.hearWriter().then(
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

/** To a stream of its own. */
const append = async (stream: string): Promise<Position> => {
  const event = { id: randomUUID(), ...putIn(stream, 1), metadata: {} }
  const appended = await store.append(stream, [event], 'no_stream')
  if (appended.outcome !== 'appended') throw new Error('the event was not appended')
  return appended.position
}
const ownStream = () => `${category}-${randomUUID()}`

test('current: after nothing, after events of its own and after those of others', async () => {
  const currency = watchCurrency(store, reader, [category])
  expect(currency.knownAt()).toBeUndefined()
  expect(await currency.confirm(patienceMs)).toBe(true)
  for (const stream of [ownStream(), 'other-1', 'other-2', ownStream(), 'other-3']) {
    const position = await append(stream)
    expect(await currency.confirm(patienceMs)).toBe(true)
    if (stream.startsWith(category)) expect(await reader.waitFor(position, 0)).toBe(true)
  }
  expect(currency.knownAt()).toBeInstanceOf(Date)
})

test('more than a page of others is looked through once', async () => {
  const counted = { pages: 0 }
  const counting = {
    readAfter: (from: Position, count: number) => {
      counted.pages++
      return store.readAfter(from, count)
    },
  }
  const currency = watchCurrency(counting, reader, [category])
  await append(ownStream())
  const event = () => ({ id: randomUUID(), type: 'Other', data: {}, metadata: {} })
  for (const stream of ['other-1', 'other-2', 'other-3'])
    await store.append(stream, Array.from({ length: 400 }, event), 'no_stream')
  expect(await currency.confirm(patienceMs)).toBe(true)
  counted.pages = 0
  expect(await currency.confirm(patienceMs)).toBe(true)
  expect(counted.pages).toBe(1)
})

test('not current while an event of its own lies ahead of the rows, nor without a writer', async () => {
  const currency = watchCurrency(store, reader, [category])
  expect(await currency.confirm(patienceMs)).toBe(true)
  await projection.stop()
  await append(ownStream())
  expect(await currency.confirm(impatienceMs)).toBe(false)
  // With a writer whose rows are behind, as a projector that has stopped at a bad event.
  const alive = { checkpoint: reader.checkpoint, waitFor: reader.waitFor, hearWriter: async () => undefined }
  const behind = watchCurrency(store, alive, [category])
  expect(await behind.confirm(impatienceMs)).toBe(false)
  expect(behind.knownAt()).toBeUndefined()
  await project()
  await until('it is current again', () => currency.confirm(impatienceMs))
  expect(await behind.confirm(patienceMs)).toBe(true)
})

test('not current while the writer is silent, though nothing lies ahead', async () => {
  const silent = {
    checkpoint: reader.checkpoint,
    waitFor: reader.waitFor,
    hearWriter: () => new Promise<void>(() => undefined),
  }
  expect(await watchCurrency(store, silent, [category]).confirm(impatienceMs)).toBe(false)
})

test('not current while the store does not answer', async () => {
  const currency = watchCurrency(store, reader, [category])
  expect(await currency.confirm(patienceMs)).toBe(true)
  await stopStore()
  expect(await currency.confirm(impatienceMs)).toBe(false)
})

test('a read model that begins anew is not current by what it once had', async () => {
  await append(ownStream())
  const places: { now: () => Position } = { now: reader.checkpoint }
  const rebuilt = {
    checkpoint: () => places.now(),
    waitFor: async (needed: Position) => needed.commit <= places.now().commit,
    hearWriter: async () => undefined,
  }
  await until('the projection is there', () => projection.lagMs().then((lag) => lag === 0))
  const currency = watchCurrency(store, rebuilt, [category])
  expect(await currency.confirm(patienceMs)).toBe(true)
  places.now = () => ({ commit: 0n, prepare: 0n })
  expect(await currency.confirm(patienceMs)).toBe(false)
})

test('those who ask together share a look, and nobody is served by one that began before', async () => {
  const counted = { pages: 0 }
  const gate = Promise.withResolvers<void>()
  const slow = {
    readAfter: async (from: Position, count: number) => {
      counted.pages++
      await gate.promise
      return store.readAfter(from, count)
    },
  }
  const currency = watchCurrency(slow, reader, [category])
  const ask = () => Array.from({ length: 50 }, () => currency.confirm(patienceMs))
  const first = ask()
  await until('the first look is under way', () => counted.pages === 1)
  const second = ask()
  await until('the second look is under way', () => counted.pages === 2)
  gate.resolve()
  const answers = await Promise.all([...first, ...second])
  expect(answers).toEqual(answers.map(() => true))
  expect(counted.pages).toBe(2)
})
