// Persistent subscriptions: created, updated, deleted and inspected, and the events that consumers get.
import {
  jsonEvent,
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionDroppedError,
  PersistentSubscriptionExistsError,
  PersistentSubscriptionFailedError,
  PersistentSubscriptionMaximumSubscribersReachedError,
  persistentSubscriptionToAllSettingsFromDefaults,
  streamNameFilter,
} from '@eventstore/db-client'
import { describe, expect, test } from 'vitest'
import { added, collect, many, newStream, useStore } from './helpers.ts'
import { consume, openGroup, settings } from './persistent-helpers.ts'

const used = useStore()
const filled = async (count: number) => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(count))
  return stream
}
const opened = async (count: number, change = {}) => openGroup(used.client, await filled(count), change)

describe('managing a persistent subscription', () => {
  test('creates one per name', async () => {
    const { stream, group } = await opened(0)
    const again = used.client.createPersistentSubscriptionToStream(stream, group, settings())
    await expect(again).rejects.toBeInstanceOf(PersistentSubscriptionExistsError)
    await expect(again).rejects.toMatchObject({ streamName: stream, groupName: group })
    await openGroup(used.client, stream, {}, 'another')
  })

  test.each([
    [
      'a batch as large as the buffer',
      { readBatchSize: 500, historyBufferSize: 500 },
      'ReadBatchSize may not be greater than or equal to BufferSize',
    ],
    ['no buffer', { historyBufferSize: 0, readBatchSize: -1 }, 'buffer size'],
  ])('refuses %s', async (_, change, reason) => {
    const failed = used.client.createPersistentSubscriptionToStream(newStream(), 'group', settings(change))
    await expect(failed).rejects.toBeInstanceOf(PersistentSubscriptionFailedError)
    await expect(failed).rejects.toMatchObject({ reason: expect.stringContaining(reason) })
  })

  test('refuses $all as a stream name, and a start after its end', async () => {
    const acts = {
      Create: () => used.client.createPersistentSubscriptionToStream('$all', 'group', settings()),
      Update: () => used.client.updatePersistentSubscriptionToStream('$all', 'group', settings()),
      Delete: () => used.client.deletePersistentSubscriptionToStream('$all', 'group'),
    }
    for (const [method, act] of Object.entries(acts)) {
      await expect(act()).rejects.toThrow(`${method}PersistentSubscriptionToStreamCompleted instead`)
    }
    const startFrom = { commit: 2n ** 40n, prepare: 2n ** 40n }
    await expect(
      used.client.createPersistentSubscriptionToAll(
        'beyond',
        persistentSubscriptionToAllSettingsFromDefaults({ startFrom }),
      ),
    ).rejects.toBeInstanceOf(PersistentSubscriptionFailedError)
  })

  test('refuses to update, delete, inspect, replay or join a missing one', async () => {
    const stream = newStream()
    const { client } = used
    const acts = [
      () => client.updatePersistentSubscriptionToStream(stream, 'none', settings()),
      () => client.deletePersistentSubscriptionToStream(stream, 'none'),
      () => client.getPersistentSubscriptionToStreamInfo(stream, 'none'),
      () => client.replayParkedMessagesToStream(stream, 'none'),
      () => client.listPersistentSubscriptionsToStream(stream),
    ]
    for (const act of acts) await expect(act()).rejects.toBeInstanceOf(PersistentSubscriptionDoesNotExistError)
    const consumer = consume(client.subscribeToPersistentSubscriptionToStream(stream, 'none'))
    await consumer.fails()
    expect(consumer.error()).toBeInstanceOf(PersistentSubscriptionDoesNotExistError)
  })

  test('drops the consumers and keeps the checkpoint on an update', async () => {
    const { stream, group, consumer, info } = await opened(3)
    const before = consumer({ acknowledge: true })
    await before.has(3)
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(2n)
    await used.client.updatePersistentSubscriptionToStream(stream, group, settings({ maxRetryCount: 3 }))
    await before.fails()
    expect(before.error()).toBeInstanceOf(PersistentSubscriptionDroppedError)
    expect((await info()).settings.maxRetryCount).toBe(3)
    const after = consumer({ acknowledge: true })
    await used.client.appendToStream(stream, added(77))
    await after.has(1)
    expect(after.numbers()).toEqual([77])
  })

  test('drops the consumers and removes all its data on a deletion', async () => {
    const { stream, group, consumer, parked } = await opened(3)
    const before = consumer()
    await before.has(3)
    await before.got[0]?.refuse('park')
    await expect.poll(parked).toBe(1)
    await used.client.deletePersistentSubscriptionToStream(stream, group)
    await before.fails()
    expect(before.error()).toBeInstanceOf(PersistentSubscriptionDroppedError)
    const again = await openGroup(used.client, stream)
    const after = again.consumer()
    await after.has(3)
    expect(await again.parked()).toBe(0)
  })

  test('lists all groups and those of a stream', async () => {
    const { stream } = await opened(0)
    await openGroup(used.client, stream, {}, 'second')
    const ofStream = await used.client.listPersistentSubscriptionsToStream(stream)
    expect(ofStream.map(({ groupName, eventSource }) => [eventSource, groupName])).toEqual([
      [stream, 'group'],
      [stream, 'second'],
    ])
    const all = await used.client.listAllPersistentSubscriptions()
    expect(all.length).toBeGreaterThan(2)
  })

  test('drops the consumers and resumes from the checkpoints on a restart of the subsystem', async () => {
    const { consumer, info } = await opened(2)
    const before = consumer({ acknowledge: true })
    await before.has(2)
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(1n)
    await used.client.restartPersistentSubscriptionSubsystem()
    await before.fails()
    expect((await info()).stats.lastCheckpointedEventRevision).toBe(1n)
  })
})

describe('a group starts', () => {
  test.each([
    ['at the start', 'start' as const, [0, 1, 2, 99]],
    ['at a revision, itself included', 2n, [2, 99]],
    ['at the end', 'end' as const, [99]],
  ])('%s', async (_, startFrom, numbers) => {
    const { stream, consumer } = await opened(3, { startFrom })
    const taken = consumer({ acknowledge: true })
    await new Promise((resolve) => taken.subscription.once('confirmation', resolve))
    await used.client.appendToStream(stream, added(99))
    await taken.has(numbers.length)
    expect(taken.numbers()).toEqual(numbers)
  })

  test('with a stream that is created later', async () => {
    const { stream, consumer } = await opened(0)
    const taken = consumer({ acknowledge: true })
    await used.client.appendToStream(stream, many(2))
    await taken.has(2)
  })

  test('on a filtered $all', async () => {
    const category = `only${Date.now()}`
    const stream = newStream(category)
    await used.client.createPersistentSubscriptionToAll(
      category,
      persistentSubscriptionToAllSettingsFromDefaults({
        startFrom: 'start',
        checkPointAfter: 0,
        checkPointLowerBound: 1,
      }),
      { filter: streamNameFilter({ prefixes: [`${category}-`] }) },
    )
    await used.client.appendToStream(newStream(), many(400))
    await used.client.appendToStream(stream, many(2))
    const subscription = used.client.subscribeToPersistentSubscriptionToAll(category)
    const got: string[] = []
    subscription.on('data', (resolved) => {
      got.push(resolved.event?.streamId ?? '')
      void subscription.ack(resolved)
    })
    await expect.poll(() => got).toEqual([stream, stream])
    const info = () => used.client.getPersistentSubscriptionToAllInfo(category)
    const last = (await collect(used.client.readStream(stream))).at(-1)
    await expect
      .poll(async () => (await info()).stats.lastCheckpointedEventPosition?.commit ?? 0n)
      .toBeGreaterThanOrEqual(last?.event?.position?.commit ?? 1n)
    expect(await info()).toMatchObject({ eventSource: '$all', groupName: category })
    // Its own events are not in $all, so that it does not feed itself.
    const all = await collect(used.client.readAll())
    expect(all.filter(({ event }) => event?.streamId.startsWith(`$persistentsubscription-$all::${category}`))).toEqual(
      [],
    )
    await subscription.unsubscribe()
  })

  test('with an expensive filter without blocking other work', async () => {
    const [group, name] = [newStream('costly'), 'a'.repeat(2_000)]
    const wanted = { filter: streamNameFilter({ regex: '(?:a?){480}~' }) }
    for (const number of [1, 2, 3]) await used.client.appendToStream(`${name}${number}`, added(number))
    await used.client.appendToStream(`${name}~`, added(4))
    const defaults = persistentSubscriptionToAllSettingsFromDefaults({ startFrom: 'start' })
    await used.client.createPersistentSubscriptionToAll(group, defaults, wanted)
    const consumer = consume(used.client.subscribeToPersistentSubscriptionToAll(group) as never)
    await consumer.has(1)
    expect(consumer.numbers()).toEqual([4])
    const live = used.client.subscribeToAll(wanted)
    await new Promise((resolve) => live.once('data', resolve))
    await live.unsubscribe()
  })

  test('with resolved links, which are acknowledged by their own IDs', async () => {
    const [target, links] = [await filled(2), newStream('links')]
    for (const number of [0, 1]) {
      const link = {
        ...jsonEvent({ type: '$>', data: {} }),
        data: Buffer.from(`${number}@${target}`),
        contentType: 'application/octet-stream',
      }
      await used.client.appendToStream(links, link as never)
    }
    const { consumer, info } = await openGroup(used.client, links, { resolveLinkTos: true })
    const taken = consumer({ acknowledge: true })
    await taken.has(2)
    expect(taken.numbers()).toEqual([0, 1])
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(1n)
  })
})

const numbered = (from: number, count: number) => Array.from({ length: count }, (_, at) => added(from + at))

describe('retention', () => {
  test('hides nothing from a live group, with a consumer and without', async () => {
    const stream = newStream()
    await used.client.setStreamMetadata(stream, { maxCount: 2 })
    const { consumer } = await openGroup(used.client, stream)
    await used.client.appendToStream(stream, numbered(0, 6))
    const taken = consumer({ acknowledge: true })
    await taken.has(6)
    await used.client.appendToStream(stream, numbered(6, 4))
    await Promise.all(many(4).map((event) => used.client.appendToStream(stream, event)))
    await taken.has(14)
    await Promise.all([used.client.appendToStream(stream, numbered(14, 3)), used.client.deleteStream(stream)])
    await taken.has(17)
    expect(taken.numbers().filter((_, at) => at < 10 || at >= 14)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16])
  })

  test.each([{ maxCount: 2 }, { truncateBefore: 3 }])(
    'hides events from a group that is catching up: %o',
    async (metadata) => {
      const stream = newStream()
      await used.client.setStreamMetadata(stream, metadata)
      await used.client.appendToStream(stream, numbered(0, 5))
      const { consumer } = await openGroup(used.client, stream)
      const taken = consumer({ acknowledge: true })
      await taken.has(2)
      expect(taken.numbers()).toEqual([3, 4])
      await used.client.appendToStream(stream, numbered(5, 4))
      await taken.has(6)
    },
  )

  test('ends with a tombstone after the last event, and a later group is refused', async () => {
    const [{ stream, consumer }, idle] = [await opened(1), await opened(0)]
    const taken = consumer({ acknowledge: true })
    await taken.has(1)
    for (const each of [stream, idle.stream]) {
      await Promise.all([used.client.appendToStream(each, numbered(1, 2)), used.client.tombstoneStream(each)])
    }
    await taken.has(4)
    // The tombstone has no number.
    expect(taken.numbers()).toEqual([0, 1, 2, -1])
    const later = idle.consumer()
    await later.has(3)
    expect(later.numbers()).toEqual([1, 2, -1])
    const late = (await openGroup(used.client, stream, {}, 'late')).consumer()
    await late.fails()
    expect(late.error()).toMatchObject({ type: 'stream-deleted' })
  })
})

describe('limits:', () => {
  test('a consumer gets as many unacknowledged events as its buffer holds', async () => {
    const { consumer, info } = await opened(10)
    const taken = consumer({ bufferSize: 3 })
    await taken.has(3)
    const connection = (await info()).connections[0]
    expect(connection).toMatchObject({ availableSlots: 0, inFlightMessages: 3 })
    await taken.got[0]?.acknowledge()
    await taken.has(4)
    expect(taken.numbers()).toEqual([0, 1, 2, 3])
  })

  test('a group accepts its maximum number of consumers', async () => {
    const { consumer, info } = await opened(1, { maxSubscriberCount: 2 })
    const [one, two] = [consumer(), consumer()]
    await expect.poll(async () => (await info()).connections.length).toBe(2)
    const three = consumer()
    await three.fails()
    expect(three.error()).toBeInstanceOf(PersistentSubscriptionMaximumSubscribersReachedError)
    await one.subscription.unsubscribe()
    await expect.poll(async () => (await info()).connections.length).toBe(1)
    consumer()
    await expect.poll(async () => (await info()).connections.length).toBe(2)
    expect(two.error()).toBeUndefined()
  })
})

describe('inspecting a group', () => {
  test('returns its settings, its state, and its consumers', async () => {
    const { stream, group, consumer, info } = await opened(5, { extraStatistics: true, messageTimeout: 5_000 })
    expect(await info()).toMatchObject({
      eventSource: stream,
      groupName: group,
      status: 'Behind',
      connections: [],
      settings: {
        startFrom: 'start',
        extraStatistics: true,
        messageTimeout: 5_000,
        consumerStrategyName: 'RoundRobin',
      },
      stats: { totalItems: 0n, lastKnownEventRevision: 4n, lastCheckpointedEventRevision: undefined },
    })
    const taken = consumer({ acknowledge: true })
    await taken.has(5)
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(4n)
    const now = await info()
    expect(now).toMatchObject({
      status: 'Live',
      stats: { totalItems: 5n, outstandingMessagesCount: 0, parkedMessageCount: 0n },
    })
    expect(now.connections).toHaveLength(1)
    expect(now.connections[0]).toMatchObject({
      from: expect.stringContaining('127.0.0.1'),
      username: 'anonymous',
      totalItems: 5n,
      inFlightMessages: 0,
      availableSlots: 10,
    })
    expect([...(now.connections[0]?.extraStatistics?.keys() ?? [])]).toEqual([
      'mean',
      'median',
      'fastest',
      'quintile 1',
      'quintile 2',
      'quintile 3',
      'quintile 4',
      'quintile 5',
      '90%',
      '95%',
      '99%',
      '99.5%',
      '99.9%',
      'highest',
    ])
  })
})
