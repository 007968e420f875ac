// The position that makes rows fresh comes from a store read after the question, and each event is read once.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { beginning, type Position } from '@headwater/eventstore/position'
import { logger, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { watchNeeded } from '../src/freshness/needed.ts'

let store: EventStore
let stopStore: () => Promise<void>
beforeEach(async () => {
  const node = await start({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
  stopStore = node.stop
})
afterEach(async () => {
  await store.close()
  await stopStore()
})

const append = async (stream: string, count = 1): Promise<Position> => {
  const events = Array.from({ length: count }, () => ({ id: randomUUID(), type: 'Happened', data: {}, metadata: {} }))
  const appended = await store.append(stream, events, 'no_stream')
  if (appended.outcome !== 'appended') throw new Error('the events were not appended')
  return appended.position
}

/** Counts the pages read from the store. */
const counted = () => {
  const counts = { pages: 0 }
  const readAfter: EventStore['readAfter'] = (from, count) => {
    counts.pages++
    return store.readAfter(from, count)
  }
  return { counts, readAfter }
}

test('the needed position is that of the last event of the categories, also when others are written after it', async () => {
  const needed = watchNeeded(store, ['own', 'also'], () => beginning)
  expect(await needed()).toEqual(beginning)
  await append('other-1')
  expect(await needed()).toEqual(beginning)
  const own = await append('own-1')
  await append('owner-1')
  expect(await needed()).toEqual(own)
  await append('other-2')
  expect(await needed()).toEqual(own)
  const also = await append('also-1')
  expect(await needed()).toEqual(also)
})

test('events that are in the rows count as needed and are not read again', async () => {
  await append('own-1')
  const reached = await append('other-1', 400)
  const { counts, readAfter } = counted()
  const needed = watchNeeded({ readAfter }, ['own'], () => reached)
  expect(await needed()).toEqual(reached)
  expect(counts.pages).toBe(1)
})

test('more than a page of events of other categories is read only once', async () => {
  const own = await append('own-1')
  for (const stream of ['other-1', 'other-2', 'other-3']) await append(stream, 400)
  const { counts, readAfter } = counted()
  const needed = watchNeeded({ readAfter }, ['own'], () => beginning)
  expect(await needed()).toEqual(own)
  expect(counts.pages).toBeGreaterThan(1)
  counts.pages = 0
  expect(await needed()).toEqual(own)
  expect(counts.pages).toBe(1)
})

test('concurrent questions share a store read, and none is answered by a read that began before it', async () => {
  const { counts, readAfter } = counted()
  const gate = Promise.withResolvers<void>()
  const slow: EventStore['readAfter'] = async (from, count) => {
    const page = await readAfter(from, count)
    await gate.promise
    return page
  }
  const needed = watchNeeded({ readAfter: slow }, ['own'], () => beginning)
  const before = needed()
  await until('the first look is under way', () => counts.pages === 1)
  const own = await append('own-1')
  const after = Array.from({ length: 50 }, needed)
  gate.resolve()
  expect(await Promise.all(after)).toEqual(after.map(() => own))
  await before
  expect(counts.pages).toBe(2)
})

test('a failed store read rejects all questions that share it, and the next question is answered', async () => {
  const own = await append('own-1')
  const outages = [new Error('away')]
  const readAfter: EventStore['readAfter'] = async (from, count) => {
    const outage = outages.pop()
    if (outage) throw outage
    return store.readAfter(from, count)
  }
  const needed = watchNeeded({ readAfter }, ['own'], () => beginning)
  const failing = [needed(), needed()]
  for (const { status } of await Promise.allSettled(failing)) expect(status).toBe('rejected')
  expect(await needed()).toEqual(own)
})
