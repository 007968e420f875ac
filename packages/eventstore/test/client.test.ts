// Talking to the store: outcomes of appends when the line fails, and the official client's defects held off.
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
import { nameStoreAnew } from '../src/store-name.ts'
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
  test('answers the revision and the position of the last event', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    const appended = await store.append(stream, [event(), event()], 'no_stream')
    expect(appended).toMatchObject({ outcome: 'appended', revision: 1n, clean: true })
    const last = (await store.readStream(stream, 0n, 10)).at(-1)
    expect(appended).toMatchObject({ position: last?.position })
  })

  test('D4: a conflict is a value, also against a stream that is not there', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    expect(await store.append(stream, [event()], 3n)).toEqual({ outcome: 'conflict', clean: true })
    await store.append(stream, [event()], 'no_stream')
    expect(await store.append(stream, [event()], 'no_stream')).toEqual({ outcome: 'conflict', clean: true })
  })

  test('a lost answer: the same bytes are sent again on a new connection and recognised', async () => {
    const url = await newStore()
    const line = await newLine(url)
    const [store, direct] = [connect(line.url), connect(url)]
    const stream = newStream()
    await store.append(stream, [event()], 'no_stream')
    line.swallowReplies()
    const appended = await store.append(stream, [event(), event()], 0n)
    expect(appended).toMatchObject({ outcome: 'appended', revision: 2n, clean: false })
    expect(await direct.readStream(stream, 0n, 10)).toHaveLength(3)
  })

  test('a lost answer while somebody else writes: it is a conflict, found out by reading', async () => {
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

  test('D12, pain 11: hundreds of appends at once on a fresh connection, over a line that is cut: none lost, none doubled', async () => {
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

  test('D12: two users of one store in a process share the appending connection; closing one leaves the other whole', async () => {
    const line = await newLine(await newStore())
    const [one, two] = [connect(line.url), connect(line.url)]
    await one.append(newStream(), [event()], 'no_stream')
    await two.append(newStream(), [event()], 'no_stream')
    expect(line.connections()).toBe(1)
    await one.close()
    expect(await two.append(newStream(), [event()], 'no_stream')).toMatchObject({ outcome: 'appended' })
  })

  test('D13: the setting whose answers the client gets wrong is refused', () => {
    expect(() => connectEventStore({ url: 'esdb://localhost:1?tls=false&throwOnAppendFailure=false', logger })).toThrow(
      'throwOnAppendFailure',
    )
  })

  test('D14: a store that does not answer is a clear refusal after bounded tries', async () => {
    const store = connect('esdb://127.0.0.1:9?tls=false')
    const refused = await store.append(newStream(), [event()], 'no_stream').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Rejection)
    expect(refused).toMatchObject({ code: 'event_store_unavailable' })
    await expect(store.head()).rejects.toMatchObject({ code: 'event_store_unavailable' })
  })
})

describe('reading', () => {
  test('pages by revision, empty when there is no such stream', async () => {
    const store = connect(await newStore())
    const stream = newStream()
    expect(await store.readStream(stream, 0n, 10)).toEqual([])
    await store.append(stream, [event(), event(), event()], 'no_stream')
    expect((await store.readStream(stream, 1n, 1)).map(({ revision }) => revision)).toEqual([1n])
    expect(await store.readStream(stream, 3n, 10)).toEqual([])
  })

  test('a connection that is frozen is replaced, and the read is made on the new one', async () => {
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

  test('a read that is cut off by closing is no empty answer', async () => {
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

  test('a stream that does not exist, one that was deleted and one with nothing newer are answered differently', async () => {
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

  test('"caught up" is told after the events that still wait for a reader who paused', async () => {
    const store = connect(await newStore())
    const category = `${runPrefix}${randomUUID().slice(0, 8)}`
    // A store of somebody's own has other events before these.
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
    // Time for all of it to arrive behind the first.
    for (let asked = 0; asked < 20; asked++) await store.head()
    expect(told).toEqual(['event'])
    subscription.resume()
    await until('it is told', () => told.includes('caught up'))
    expect(told.filter((what) => what === 'event')).toHaveLength(10)
    expect(told.lastIndexOf('event')).toBeLessThan(told.indexOf('caught up'))
    const firstCheckpoint = told.indexOf('checkpoint')
    expect(firstCheckpoint === -1 || firstCheckpoint > told.lastIndexOf('event')).toBe(true)
  })

  test('what is asked on a connection of its own leaves no connection behind', async () => {
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

  test('a store whose name cannot be read says so', async () => {
    if (process.env.EVENTSTORE_URL) return
    const store = connect(await newStore())
    await store.append('headwater-store', [event()], 'no_stream')
    await expect(store.storeId()).rejects.toThrow('ends with Happened')
  })

  test('the leader of a cluster is asked, never a follower that may lag behind', async () => {
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

  test('the store has one name for everybody', async () => {
    const url = await newStore()
    const names = await Promise.all([connect(url), connect(url), connect(url)].map((store) => store.storeId()))
    expect(new Set(names).size).toBe(1)
  })

  test('a store that was restored is given another name, for everybody', async () => {
    const url = await newStore()
    const [one, other] = [connect(url), connect(url)]
    const before = await one.storeId()
    const anew = await nameStoreAnew(one)
    expect(anew).not.toBe(before)
    expect(await Promise.all([one.storeId(), other.storeId()])).toEqual([anew, anew])
    expect(await nameStoreAnew(connect(await newStore()))).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('reading $all', () => {
  test('what comes after a position, in pages, to the end', async () => {
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

  test('what comes before a position, or is the newest, in pages, to the beginning', async () => {
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
