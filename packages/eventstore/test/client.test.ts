// The store client: outcomes of appends on a failing connection, and the workarounds for defects of the official client.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { EventStoreDBClient } from '@eventstore/db-client'
import { Rejection } from '@headwater/deciders/decider'
import { afterEach, describe, expect, test } from 'vitest'
import { connectEventStore, type EventStore, noSuchStream } from '../src/client/client.ts'
import { createCommandHandler } from '../src/commands/handle-command.ts'
import { beginning, comparePosition } from '../src/position.ts'
import { assignNewStoreId } from '../src/store-name.ts'
import { lineTo, logger, runPrefix, testStore, until } from './support.ts'
import { tillStream } from './till.ts'

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})
const connect = (url: string): EventStore => {
  const store = connectEventStore({ url, logger })
  endings.push(() => store.close())
  return store
}
const newStore = async () => {
  const { url, stop } = await testStore()
  endings.push(stop)
  return url
}
const newLine = async (url: string) => {
  const line = await lineTo(url)
  endings.push(() => line.close())
  return line
}
const newStream = () => `${runPrefix}thing-${randomUUID()}`
const event = (bytes = 10) => ({ id: randomUUID(), type: 'Happened', data: { text: 'x'.repeat(bytes) }, metadata: {} })

describe('appending', () => {
  test('returns the revision and the position of the last event', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    const appended = await store.append(stream, [event(), event()], 'no_stream')
    expect(appended).toMatchObject({ outcome: 'appended', revision: 1n, firstAttempt: true })
    const last = (await store.readStream(stream, 0n, 10)).at(-1)
    expect(appended).toMatchObject({ position: last?.position })
  })

  test('returns a conflict as a value, also for a missing stream', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    expect(await store.append(stream, [event()], 3n)).toEqual({ outcome: 'conflict', firstAttempt: true })
    await store.append(stream, [event()], 'no_stream')
    expect(await store.append(stream, [event()], 'no_stream')).toEqual({ outcome: 'conflict', firstAttempt: true })
  })

  test('sends the same bytes again on a new connection after a lost answer, and the store recognizes them', async () => {
    const url = await newStore()
    const line = await newLine(url)
    const [store, direct] = [connect(line.url), connect(url)]
    const stream = newStream()
    await store.append(stream, [event()], 'no_stream')
    line.swallowReplies()
    const appended = await store.append(stream, [event(), event()], 0n)
    expect(appended).toMatchObject({ outcome: 'appended', revision: 2n, firstAttempt: false })
    expect(await direct.readStream(stream, 0n, 10)).toHaveLength(3)
  })

  test('reads newer events and decides again when another client wrote after an unanswered append', async () => {
    const url = await newStore()
    const line = await newLine(url)
    const category = `${runPrefix}till`
    const [store, direct] = [connect(line.url), connect(url)]
    const handler = createCommandHandler({ store, stream: tillStream(category), logger })
    const id = randomUUID()
    const putIn = () => ({
      id,
      command: { type: 'PutIn', amount: 1 } as const,
      commandId: randomUUID(),
      requestHash: '',
      actor: 'tester',
    })
    await handler.handle(putIn())
    line.freeze()
    const answering = handler.handle(putIn())
    const other = { id: randomUUID(), type: 'MoneyPutIn', data: { amount: 5 }, metadata: {} }
    await direct.append(`${category}-${id}`, [other], 0n)
    expect(await answering).toMatchObject({ revision: 2n })
    expect(await direct.readStream(`${category}-${id}`, 0n, 10)).toHaveLength(3)
  })

  test('loses and doubles none of hundreds of concurrent appends on a new connection that is cut', async () => {
    const url = await newStore()
    const line = await newLine(url)
    const [store, direct] = [connect(line.url), connect(url)]
    const streams = Array.from({ length: 300 }, newStream)
    let answered = 0
    const appends = streams.map(async (stream) => {
      const reply = await store.append(stream, [event(2_000), event(2_000)], 'no_stream')
      answered++
      return reply
    })
    await until('some are answered', () => answered > 20)
    line.cut()
    await until('more are answered', () => answered > 100)
    line.cut()
    for (const reply of await Promise.all(appends)) expect(reply).toMatchObject({ outcome: 'appended', revision: 1n })
    for (const stream of streams) expect(await direct.readStream(stream, 0n, 10)).toHaveLength(2)
  })

  test('shares one connection between two clients of a process, and closing one client keeps it open for the other', async () => {
    const line = await newLine(await newStore())
    const [one, two] = [connect(line.url), connect(line.url)]
    await one.append(newStream(), [event()], 'no_stream')
    await two.append(newStream(), [event()], 'no_stream')
    expect(line.connections()).toBe(1)
    await one.close()
    expect(await two.append(newStream(), [event()], 'no_stream')).toMatchObject({ outcome: 'appended' })
  })

  test('refuses the setting that makes the official client return wrong answers', () => {
    expect(() => connectEventStore({ url: 'esdb://localhost:1?tls=false&throwOnAppendFailure=false', logger })).toThrow(
      'throwOnAppendFailure',
    )
  })

  test('rejects with event_store_unavailable after a bounded number of attempts', async () => {
    const store = connect('esdb://127.0.0.1:9?tls=false')
    const refused = await store.append(newStream(), [event()], 'no_stream').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Rejection)
    expect(refused).toMatchObject({ code: 'event_store_unavailable' })
    await expect(store.head()).rejects.toMatchObject({ code: 'event_store_unavailable' })
  })
})

describe('reading', () => {
  test('returns pages by revision, and an empty one for a missing stream', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    expect(await store.readStream(stream, 0n, 10)).toEqual([])
    await store.append(stream, [event(), event(), event()], 'no_stream')
    expect((await store.readStream(stream, 1n, 1)).map(({ revision }) => revision)).toEqual([1n])
    expect(await store.readStream(stream, 3n, 10)).toEqual([])
  })

  test('replaces a frozen connection and repeats the read on the new one', async () => {
    const url = await newStore()
    const line = await newLine(url)
    const [store, direct] = [connect(line.url), connect(url)]
    const stream = newStream()
    await direct.append(stream, [event()], 'no_stream')
    await store.head()
    const before = line.connections()
    line.freeze()
    const reads = await Promise.all([store.readStream(stream, 0n, 10), store.readStream(stream, 0n, 10)])
    for (const read of reads) expect(read).toHaveLength(1)
    expect(line.connections()).toBe(before + 1)
  })

  test('rejects a read that closing interrupts, instead of returning an empty page', async () => {
    const line = await newLine(await newStore())
    const store = connect(line.url)
    const stream = newStream()
    await store.append(stream, [event()], 'no_stream')
    await store.head()
    line.freeze()
    const reading = store.readStream(stream, 0n, 10).then(
      (events) => events,
      (error: unknown) => error,
    )
    await new Promise((resolve) => setImmediate(resolve))
    await store.close()
    expect(await reading).toMatchObject({ code: 'event_store_unavailable' })
  })

  test('returns different answers for a missing stream, a deleted one and one without newer events', async () => {
    const url = await newStore()
    const [store, client] = [connect(url), EventStoreDBClient.connectionString(url)]
    endings.push(() => client.dispose())
    const [written, tombstoned, softDeleted] = [newStream(), newStream(), newStream()]
    for (const stream of [written, tombstoned, softDeleted]) await store.append(stream, [event()], 'no_stream')
    expect(await store.tombstone(tombstoned)).toBe(true)
    await client.deleteStream(softDeleted)

    const nothingNewer = await store.readStream(written, 1n, 10)
    expect(nothingNewer).toEqual([])
    expect(nothingNewer).not.toBe(noSuchStream)
    for (const missing of [newStream(), softDeleted]) {
      expect(await store.readStream(missing, 0n, 10)).toBe(noSuchStream)
      expect(await store.readStream(missing, 1n, 10)).toBe(noSuchStream)
    }
    const deleted = { code: 'stream_deleted' }
    await expect(store.readStream(tombstoned, 0n, 10)).rejects.toMatchObject(deleted)
    await expect(store.append(tombstoned, [event()], 0n)).rejects.toMatchObject(deleted)
    await expect(store.append(tombstoned, [event()], 'any')).rejects.toMatchObject(deleted)
    for (const stream of [tombstoned, softDeleted]) expect(await store.tombstone(stream)).toBe(true)
    await expect(store.readStream(softDeleted, 0n, 10)).rejects.toMatchObject(deleted)
    const never = newStream()
    expect(await store.tombstone(never)).toBe(false)
    expect(await store.readStream(never, 0n, 10)).toBe(noSuchStream)
  })

  test('finds the event at a position, the first after it, and the head', async () => {
    const store = connect(await newStore())
    const category = `${runPrefix}${randomUUID().slice(0, 8)}`
    const stream = `${category}-1`
    const before = await store.head()
    await store.append(stream, [event(), event()], 'no_stream')
    const [first, second] = await store.readStream(stream, 0n, 2)
    if (!first || !second) throw new Error('The events are gone.')
    expect(await store.eventAt(first.position)).toEqual(first)
    expect(await store.eventAt({ commit: first.position.commit * 1_000n, prepare: 0n })).toBeUndefined()
    const { commit, prepare } = first.position
    expect(await store.eventAt({ commit, prepare: prepare - 1n })).toBeUndefined()
    expect(await store.eventAfter([category], beginning)).toEqual(first)
    expect(await store.eventAfter([category], first.position)).toEqual(second)
    expect(await store.eventAfter([category], second.position)).toBeUndefined()
    const head = await store.head()
    expect(comparePosition(head, before)).toBeGreaterThan(0)
    expect(comparePosition(head, second.position)).toBeGreaterThanOrEqual(0)
  })

  test('reports "caught up" only after the buffered events of a paused reader', async () => {
    const store = connect(await newStore())
    const category = `${runPrefix}${randomUUID().slice(0, 8)}`
    // A given store has earlier events.
    const before = await store.head()
    await store.append(
      `${category}-1`,
      Array.from({ length: 10 }, () => event()),
      'no_stream',
    )
    const told: string[] = []
    const subscription = store.subscribe([category], before, {
      onEvent: () => {
        told.push('event')
        if (told.length === 1) subscription.pause()
      },
      onCheckpoint: () => told.push('checkpoint'),
      onCaughtUp: () => told.push('caught up'),
      onEnd: () => told.push('end'),
    })
    endings.push(async () => subscription.close())
    await until('the first is there', () => told.length > 0)
    // Lets all events arrive behind the first.
    for (let asked = 0; asked < 20; asked++) await store.head()
    expect(told).toEqual(['event'])
    subscription.resume()
    await until('it is told', () => told.includes('caught up'))
    expect(told.filter((what) => what === 'event')).toHaveLength(10)
    expect(told.lastIndexOf('event')).toBeLessThan(told.indexOf('caught up'))
    const firstCheckpoint = told.indexOf('checkpoint')
    expect(firstCheckpoint === -1 || firstCheckpoint > told.lastIndexOf('event')).toBe(true)
  })

  test('leaves no connection open after calls on separate connections', async () => {
    const line = await newLine(await newStore())
    const store = connect(line.url)
    const category = `${runPrefix}${randomUUID().slice(0, 8)}`
    await store.append(`${category}-1`, [event()], 'no_stream')
    const before = line.open()
    for (let asked = 0; asked < 10; asked++) {
      await store.eventAfter([category], beginning)
      await store.eventAfter([`not${category}`], beginning)
    }
    expect(line.connections()).toBeGreaterThan(before)
    await until('they are closed', () => line.open() <= before)
    await store.close()
    await until('all are closed', () => line.open() === 0)
  })

  test('rejects when the store ID cannot be read', async () => {
    if (process.env.EVENTSTORE_URL) return
    const store = connect(await newStore())
    await store.append('headwater-store', [event()], 'no_stream')
    await expect(store.storeId()).rejects.toThrow('ends with Happened')
  })

  test('reads from the leader of a cluster, never from a follower that may lag behind', async () => {
    const asked: Record<string, unknown>[] = []
    const server = createServer().listen(0, '127.0.0.1')
    server.on('stream', (stream, headers) => {
      asked.push({ path: headers[':path'], leader: headers['requires-leader'] })
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' }, { endStream: true })
    })
    await once(server, 'listening')
    endings.push(async () => server.close())
    const { port } = server.address() as AddressInfo
    const store = connect(`esdb://127.0.0.1:${port}?tls=false`)
    const questions = [
      store.head(),
      store.eventAt({ commit: 1n, prepare: 1n }),
      store.readStream('thing-1', 0n, 1),
      store.storeId(),
      store.eventAfter(['thing'], beginning),
    ]
    for (const answer of await Promise.allSettled(questions))
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'event_store_unavailable' } })
    expect(asked.length).toBeGreaterThanOrEqual(questions.length)
    for (const { path, leader } of asked) expect({ path, leader }).toEqual({ path, leader: 'true' })
  })

  test('returns one store ID to all clients', async () => {
    const url = await newStore()
    const names = await Promise.all([connect(url), connect(url), connect(url)].map((store) => store.storeId()))
    expect(new Set(names).size).toBe(1)
  })

  test('returns a new store ID to all clients after a restore', async () => {
    const url = await newStore()
    const [one, other] = [connect(url), connect(url)]
    const before = await one.storeId()
    const anew = await assignNewStoreId(one)
    expect(anew).not.toBe(before)
    expect(await Promise.all([one.storeId(), other.storeId()])).toEqual([anew, anew])
    expect(await assignNewStoreId(connect(await newStore()))).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('reading $all', () => {
  test('readAfter pages through all events after a position', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    const first = await store.append(stream, [event()], 'no_stream')
    if (first.outcome !== 'appended') throw new Error('the event was not appended')
    const more = [event(), event(), event()]
    await store.append(stream, more, 0n)
    const idsAfter = async (position: typeof first.position, maxCount: number) =>
      (await store.readAfter(position, maxCount)).filter((found) => found.stream === stream).map(({ id }) => id)
    expect(await idsAfter(first.position, 500)).toEqual(more.map(({ id }) => id))
    expect(await store.readAfter(first.position, 2)).toHaveLength(2)
    expect(await store.readAfter(await store.head(), 2)).toEqual([])
    expect((await store.readAfter(beginning, 1)).length).toBe(1)
  })

  test('readBefore pages backwards through all events before a position, or from the end', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    const events = [event(), event(), event()]
    await store.append(stream, events, 'no_stream')
    const newest = await store.readBefore(undefined, 500)
    const own = newest.filter((found) => found.stream === stream)
    expect(own.map(({ id }) => id)).toEqual(events.map(({ id }) => id).reverse())
    const [last] = own
    const before = await store.readBefore(last?.position, 2)
    expect(before.map(({ id }) => id)).toEqual(own.slice(1).map(({ id }) => id))
    expect(await store.readBefore(beginning, 2)).toEqual([])
  })
})
