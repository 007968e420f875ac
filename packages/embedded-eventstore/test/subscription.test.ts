// Catch-up subscriptions: order, "caught up", checkpoints, slow readers, and the end of the server.
import { once } from 'node:events'
import { Writable } from 'node:stream'
import {
  END,
  EventStoreDBClient,
  eventTypeFilter,
  excludeSystemEvents,
  type Position,
  START,
  type StreamMetadata,
  streamNameFilter,
} from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { describe, expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { pageEventsMax } from '../src/store/pages.ts'
import { openStore } from '../src/store/store.ts'
import { decodeReadRequest } from '../src/streams/read-request.ts'
import { subscribe } from '../src/streams/subscription.ts'
import type { ReadCall } from '../src/wire/calls.ts'
import {
  added,
  collect,
  many,
  newStream,
  ofAll,
  ofStream,
  type ReadOptions,
  rawRead,
  readRequest,
  readResponses,
  useStore,
} from './helpers.ts'

const used = useStore()
const { ReadResp } = streamsPb
const { CONFIRMATION, EVENT, CAUGHT_UP, CHECKPOINT } = ReadResp.ContentCase
const { SubscriptionOptions, FilterOptions } = streamsPb.ReadReq.Options

const subscriptionTo = (set: (options: ReadOptions) => void): Uint8Array =>
  readRequest((options) => {
    options.setSubscription(new SubscriptionOptions())
    set(options)
  })

test('a subscription gets its confirmation, then existing events, then caught_up', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(3))
  const request = subscriptionTo((options) => ofStream(options, stream))
  const responses = readResponses(await rawRead(used.raw, request, 5))
  expect(responses.map((each) => each.getContentCase())).toEqual([CONFIRMATION, EVENT, EVENT, EVENT, CAUGHT_UP])
  expect(responses[0]?.getConfirmation()?.getSubscriptionId()).not.toBe('')
})

test('caught_up is sent at once when there are no events to catch up with', async () => {
  const fromEnd = subscriptionTo((options) => ofAll(options).setEnd(new shared.Empty()))
  const responses = readResponses(await rawRead(used.raw, fromEnd, 2))
  expect(responses.map((each) => each.getContentCase())).toEqual([CONFIRMATION, CAUGHT_UP])
  const missing = subscriptionTo((options) => ofStream(options, newStream()))
  const waiting = readResponses(await rawRead(used.raw, missing, 2))
  expect(waiting.map((each) => each.getContentCase())).toEqual([CONFIRMATION, CAUGHT_UP])
})

test('a start revision is exclusive, and a missing stream can be subscribed to', async () => {
  const stream = newStream()
  const early = used.client.subscribeToStream(stream, { fromRevision: START })
  const first = collect(early, 4)
  await once(early, 'caughtUp')
  await used.client.appendToStream(stream, many(3))
  const late = used.client.subscribeToStream(stream, { fromRevision: 0n })
  const second = collect(late, 3)
  await once(late, 'caughtUp')
  await used.client.appendToStream(stream, added())
  expect((await first).map(({ event }) => event?.revision)).toEqual([0n, 1n, 2n, 3n])
  expect((await second).map(({ event }) => event?.revision)).toEqual([1n, 2n, 3n])
})

test('a subscription from the end gets only new events, for streams and for $all', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(3))
  const ofOne = used.client.subscribeToStream(stream, { fromRevision: END })
  const ofEverything = used.client.subscribeToAll({ fromPosition: END })
  const found = [collect(ofOne, 1), collect(ofEverything, 1)]
  await Promise.all([once(ofOne, 'caughtUp'), once(ofEverything, 'caughtUp')])
  await used.client.appendToStream(stream, added())
  for (const events of await Promise.all(found)) expect(events[0]?.event?.revision).toBe(3n)
})

/** Follows a stream with one event, and returns the revisions received until the last one. */
const followed = async (stream: string, act: () => Promise<unknown>, last: number): Promise<number[]> => {
  const subscription = used.client.subscribeToStream(stream, { fromRevision: START })
  const revisions: number[] = []
  subscription.on('data', ({ event }) => revisions.push(Number(event?.revision)))
  subscription.on('error', () => {})
  await once(subscription, 'caughtUp')
  await act()
  await expect.poll(() => revisions.at(-1)).toBe(last)
  await subscription.unsubscribe()
  return revisions
}
const upTo = (last: number): number[] => Array.from({ length: last + 1 }, (_, revision) => revision)
const singly = (stream: string, count: number) =>
  Promise.all(many(count).map((event) => used.client.appendToStream(stream, event)))

describe('a live subscriber gets every committed event, also those that retention has hidden meanwhile', () => {
  test.each<[what: string, metadata: StreamMetadata, act: (stream: string) => Promise<unknown>, revisions: number[]]>([
    [
      '$maxCount 2, four at once and four singly',
      { maxCount: 2 },
      async (stream) => {
        await used.client.appendToStream(stream, many(4))
        await singly(stream, 4)
      },
      upTo(8),
    ],
    [
      '$maxCount 1, one append of 20',
      { maxCount: 1 },
      (stream) => used.client.appendToStream(stream, many(20)),
      upTo(20),
    ],
    [
      '$tb ahead of the first',
      { truncateBefore: 3 },
      (stream) => used.client.appendToStream(stream, many(3)),
      [1, 2, 3],
    ],
    ['$tb ahead of all', { truncateBefore: 10 }, (stream) => used.client.appendToStream(stream, many(3)), [1, 2, 3]],
    [
      'a truncation at the same time',
      {},
      (stream) =>
        Promise.all([
          used.client.appendToStream(stream, many(3)),
          used.client.setStreamMetadata(stream, { truncateBefore: 3 }),
        ]),
      upTo(3),
    ],
    [
      'a deletion at the same time',
      {},
      (stream) => Promise.all([used.client.appendToStream(stream, many(3)), used.client.deleteStream(stream)]),
      upTo(3),
    ],
  ])('%s', async (_, metadata, act, revisions) => {
    const stream = newStream()
    await used.client.setStreamMetadata(stream, metadata)
    await used.client.appendToStream(stream, added())
    expect(await followed(stream, () => act(stream), revisions.at(-1) as number)).toEqual(revisions)
  })

  test('and a concurrent tombstone last', async () => {
    const stream = newStream()
    await used.client.setStreamMetadata(stream, { maxCount: 1 })
    const revisions: bigint[] = []
    const subscription = used.client.subscribeToStream(stream, { fromRevision: START })
    subscription.on('data', ({ event }) => event && revisions.push(event.revision))
    const ended = once(subscription, 'error')
    await once(subscription, 'caughtUp')
    await Promise.all([used.client.appendToStream(stream, many(3)), used.client.tombstoneStream(stream)])
    expect((await ended)[0]).toMatchObject({ type: 'stream-deleted' })
    expect(revisions).toEqual([0n, 1n, 2n, 2n ** 63n - 1n])
  })

  test('and four concurrent metadata changes', async () => {
    const stream = newStream()
    const set = () => Promise.all([1, 2, 3].map((maxCount) => used.client.setStreamMetadata(stream, { maxCount })))
    await used.client.setStreamMetadata(stream, {})
    expect(await followed(`$$${stream}`, set, 3)).toEqual(upTo(3))
  })

  test('and only readable events while it catches up', async () => {
    for (const metadata of [{ truncateBefore: 3 }, { maxCount: 2 }]) {
      const stream = newStream()
      await used.client.setStreamMetadata(stream, metadata)
      await used.client.appendToStream(stream, many(5))
      expect(await followed(stream, async () => undefined, 4)).toEqual([3, 4])
    }
  })
})

test('a position of $all is exclusive, and no event is lost or doubled between catching up and live', async () => {
  const stream = newStream('busy')
  const { position } = await used.client.appendToStream(stream, added())
  if (!position) throw new Error('a position')
  const total = 1500
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += 10) await used.client.appendToStream(stream, many(10))
  })()
  const subscription = used.client.subscribeToAll({
    fromPosition: position,
    filter: streamNameFilter({ prefixes: [stream] }),
  })
  const events = await collect(subscription, total)
  await writing
  expect(events.map(({ event }) => Number(event?.revision))).toEqual(Array.from({ length: total }, (_, at) => at + 1))
})

test('a checkpoint is sent after every multiplier × window considered events and at the end of catching up, none twice', async () => {
  const own = await start({ memory: true, systemProjections: 'off' })
  const client = EventStoreDBClient.connectionString(own.connectionString)
  const checkpoints: bigint[] = []
  // After the one event of a fresh database.
  await client.appendToStream('first', many(389))
  const filter = eventTypeFilter({
    prefixes: ['Nothing'],
    checkpointInterval: 2,
    checkpointReached: async (_, position: Position) => {
      checkpoints.push(position.commit)
    },
  })
  const subscription = client.subscribeToAll({ fromPosition: START, filter })
  subscription.on('data', () => {})
  await once(subscription, 'caughtUp')
  expect(checkpoints).toEqual([64n, 128n, 192n, 256n, 320n, 384n, 390n])
  const marker = client.subscribeToAll({ fromPosition: END })
  const seen = collect(marker, 384 - 320)
  await once(marker, 'caughtUp')
  for (let index = 0; index < 64; index++) await client.appendToStream('second', added(index))
  await seen
  // Live, the counter continues with every event: 390 + 58 = 448 = 7 × 64.
  await expect.poll(() => checkpoints.at(-1)).toBe(448n)
  expect(new Set(checkpoints).size).toBe(checkpoints.length)
  await client.dispose()
  await own.stop()
})

test('a checkpoint follows the events it covers and precedes caught_up, and there is none without a filter', async () => {
  const stream = newStream('covered')
  await used.client.appendToStream(stream, many(2))
  const request = subscriptionTo((options) => {
    ofAll(options)
    const filter = new FilterOptions()
    const expression = new FilterOptions.Expression()
    expression.setPrefixList([stream])
    filter.setStreamIdentifier(expression)
    filter.setMax(1_000_000)
    filter.setCheckpointintervalmultiplier(1)
    options.setFilter(filter)
  })
  const responses = readResponses(await rawRead(used.raw, request, 5))
  expect(responses.map((each) => each.getContentCase())).toEqual([CONFIRMATION, EVENT, EVENT, CHECKPOINT, CAUGHT_UP])
  const last = responses[2]?.getEvent()?.getCommitPosition()
  expect(responses[3]?.getCheckpoint()?.getCommitPosition()).toBe(last)
  expect(responses[3]?.getCheckpoint()?.getPreparePosition()).toBe(last)
})

test('the client’s filter excludes system events', async () => {
  const stream = newStream('plain')
  await used.client.appendToStream(newStream(), { ...added(), type: '$system' })
  await used.client.appendToStream(stream, added())
  const found = await collect(used.client.subscribeToAll({ filter: excludeSystemEvents() }), 3)
  expect(found.every(({ event }) => !event?.type.startsWith('$'))).toBe(true)
})

test('a reader that does not read costs at most a page of memory, and others continue', async () => {
  const store = openStore(undefined)
  const taken: Buffer[] = []
  let release: (() => void) | undefined
  const slow = new Writable({
    objectMode: true,
    write: (message: Buffer, _, done) => {
      taken.push(message)
      release = done
    },
  })
  const call = Object.assign(slow, { cancelled: false }) as unknown as ReadCall
  const request = decodeReadRequest(subscriptionTo((options) => ofAll(options)))
  const over = subscribe(call, store, request)
  const total = 10 * pageEventsMax
  for (let number = 0; number < total; number++) {
    const event = {
      id: Buffer.alloc(16, number),
      type: 'Added',
      contentType: undefined,
      customMetadata: Buffer.alloc(0),
    }
    await new Promise((resolve) =>
      store.write(
        {
          kind: 'append',
          streamName: 'x',
          expected: BigInt(number - 1) < 0n ? 'no stream' : BigInt(number - 1),
          events: [{ ...event, data: Buffer.alloc(10) }],
          deadlineAtMs: Number.POSITIVE_INFINITY,
          bytes: 10,
        },
        resolve,
      ),
    )
    expect(slow.writableLength).toBeLessThanOrEqual(pageEventsMax + 20)
  }
  // When the reader reads again, it gets all events, in order.
  const drain = () => {
    const done = release
    release = undefined
    done?.()
  }
  await expect
    .poll(
      () => {
        while (release) drain()
        return taken.filter((message) => ReadResp.deserializeBinary(message).hasEvent()).length
      },
      { interval: 1 },
    )
    .toBe(total)
  const positions = taken.map((message) => ReadResp.deserializeBinary(message).getEvent()?.getCommitPosition())
  expect(positions.filter(Boolean)).toEqual(Array.from({ length: total }, (_, at) => String(at + 1)))
  slow.destroy()
  await over
  store.close()
})

test('a paused subscriber gets all events once it resumes, also those hidden from readers by then', async () => {
  const stream = newStream('paused')
  await used.client.setStreamMetadata(stream, { maxCount: 1 })
  const subscription = used.client.subscribeToStream(stream, {}, { highWaterMark: 1 })
  await once(subscription, 'caughtUp')
  subscription.pause()
  for (let sent = 0; sent < 5000; sent += 500) await used.client.appendToStream(stream, many(500))
  const events = await collect(subscription, 5000)
  expect(events.map(({ event }) => Number(event?.revision))).toEqual(Array.from({ length: 5000 }, (_, at) => at))
})

test('stopping ends live subscriptions with UNAVAILABLE, in bounded time', async () => {
  const own = await start({ memory: true })
  const client = EventStoreDBClient.connectionString(own.connectionString)
  const subscriptions = [client.subscribeToAll(), client.subscribeToStream('x')]
  const errors = subscriptions.map((each) =>
    once(
      each.on('data', () => {}),
      'error',
    ),
  )
  await Promise.all(subscriptions.map((each) => once(each, 'caughtUp')))
  await Promise.all([own.stop(), own.stop()])
  for (const [error] of await Promise.all(errors)) expect(error).toMatchObject({ type: 'unavailable' })
  await client.dispose()
})

test('stopping does not wait for a client that does not read', async () => {
  const own = await start({ memory: true })
  const client = EventStoreDBClient.connectionString(own.connectionString)
  for (let sent = 0; sent < 4000; sent += 1000) await client.appendToStream('x', many(1000))
  const paused = client.readStream('x', {}, { highWaterMark: 1 })
  paused.on('error', () => {})
  await once(paused, 'readable')
  await own.stop()
  await client.dispose()
})
