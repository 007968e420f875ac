// Events that consumers do not acknowledge: retried, parked, replayed; also across a restart.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { EventStoreDBClient } from '@eventstore/db-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Consumer, openGroup as openStoredGroup } from '../src/persistent/group.ts'
import type { Message } from '../src/persistent/message.ts'
import type { Source } from '../src/persistent/settings.ts'
import { createStatistics } from '../src/persistent/statistics.ts'
import { jsonEvent, ownAppend } from '../src/store/own-events.ts'
import { openStore } from '../src/store/store.ts'
import { added, collect, many, newStream, useStore } from './helpers.ts'
import { openGroup } from './persistent-helpers.ts'

const used = useStore()
const opened = async (count: number, change = {}) => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(count))
  return openGroup(used.client, stream, change)
}
/** A group with one consumer, without the network: answers made together arrive together. */
const groupAlone = async (count: number, source: Source = { kind: 'stream', streamName: 'stream' }) => {
  const store = openStore(undefined)
  onTestFinished(store.close)
  const events = Array.from({ length: count }, (_, number) => jsonEvent('Added', { number }))
  await new Promise((resolve) => store.write(ownAppend('stream', events), resolve))
  const definition = {
    source,
    groupName: 'group',
    startFrom: 0,
    settings: {
      resolveLinks: false,
      extraStatistics: false,
      messageTimeoutMs: 30_000,
      maxRetryCount: 10,
      checkpointAfterMs: 2_000,
      minCheckpointCount: 10,
      maxCheckpointCount: 1_000,
      maxSubscriberCount: 0,
      liveBufferSize: 500,
      readBatchSize: 20,
      historyBufferSize: 500,
      strategy: 'RoundRobin',
    },
  } as const
  const group = openStoredGroup(store, definition)
  onTestFinished(group.close)
  const inbox: Message[] = []
  const faults: string[] = []
  const inFlight = new Map<string, Message>()
  const consumer: Consumer = {
    name: '',
    from: '',
    userName: '',
    bufferSize: 10,
    inFlight,
    statistics: createStatistics(),
    hasRoom: () => inFlight.size < 10,
    send: (message) => inbox.push(message),
    drop: (fault = 'removed') => faults.push(fault),
  }
  group.join(consumer)
  return { group, consumer, inbox, faults }
}
const numbersFrom = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at)

test('a stored filter that this version refuses ends its consumers, not the node', async () => {
  const filter = {
    on: 'stream name',
    regex: '(',
    prefixes: [],
    searchWindow: 32,
    checkpointIntervalMultiplier: 1,
  } as const
  const { group, consumer, faults } = await groupAlone(1, { kind: 'all', filter: { ...filter, prefixes: [] } })
  const why = expect.stringContaining('A "(" is not closed.')
  await expect.poll(() => faults).toEqual([why])
  group.leave(consumer)
  group.join(consumer)
  await expect.poll(() => faults).toEqual([why, why])
})

const parkedEvents = (stream: string) =>
  collect(used.client.readStream(`$persistentsubscription-${stream}::group-parked`, { resolveLinkTos: true }))

describe('an event is sent again', () => {
  test('when a consumer asks for a retry, in order, before new events, with a retry count', async () => {
    const { consumer } = await opened(4)
    const { got, has, numbers } = consumer({ bufferSize: 2 })
    await has(2)
    await got[1]?.refuse('retry')
    await has(3)
    await got[0]?.refuse('retry')
    await has(4)
    expect(numbers()).toEqual([0, 1, 1, 0])
    expect(got.map(({ retryCount }) => retryCount)).toEqual([0, 0, 1, 1])
    await got[3]?.acknowledge()
    await has(5)
    expect(numbers().at(-1)).toBe(2)
  })

  test.each([3, 7, 9])(
    'before newer ones, as soon as it is refused, when %i answers arrive together',
    async (together) => {
      const { group, consumer, inbox } = await groupAlone(41)
      const numbers: number[] = []
      while (!numbers.includes(40)) {
        await setImmediate()
        for (const { revision, id } of inbox.splice(0, together)) {
          if (numbers.includes(revision)) group.acknowledge(consumer, [id])
          else group.refuse(consumer, [id], revision < 20 ? 'skip' : 'retry', '')
          numbers.push(revision)
        }
      }
      const [skipped, tens] = [numbersFrom(0, 20), [numbersFrom(20, 10), numbersFrom(30, 10)]]
      expect(numbers).toEqual([...skipped, ...tens.flatMap((each) => [...each, ...each]), 40])
    },
  )

  test('after its time-out', async () => {
    const { consumer } = await opened(1, { messageTimeout: 50 })
    const { got } = consumer()
    // It is sent repeatedly, so there may be more than two.
    await expect.poll(() => got.length).toBeGreaterThan(1)
    expect(got[1]).toMatchObject({ number: 0, retryCount: 1 })
  })

  test('when its consumer disconnects', async () => {
    const { consumer, info } = await opened(2)
    const first = consumer()
    await first.has(2)
    await first.subscription.unsubscribe()
    await expect.poll(async () => (await info()).connections.length).toBe(0)
    const second = consumer()
    await second.has(2)
    expect(second.got.map(({ number, retryCount }) => [number, retryCount])).toEqual([
      [0, 1],
      [1, 1],
    ])
  })

  test('unless it is skipped, and "stop" only skips', async () => {
    const { consumer, info, parked } = await opened(3)
    const { got, has } = consumer()
    await has(3)
    await got[0]?.refuse('skip')
    await got[1]?.refuse('stop')
    await got[2]?.acknowledge()
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(2n)
    expect(got).toHaveLength(3)
    expect(await parked()).toBe(0)
  })

  test('when its consumer does not acknowledge it, because another cannot', async () => {
    const { consumer, info } = await opened(1)
    const [one, two] = [consumer(), consumer()]
    await expect.poll(() => one.got.length + two.got.length).toBe(1)
    const [holder, other] = one.got.length > 0 ? [one, two] : [two, one]
    const [event] = await collect(used.client.readStream((await info()).eventSource))
    await other.subscription.ack(event as never)
    await used.client.appendToStream((await info()).eventSource, added(5))
    await expect.poll(() => one.got.length + two.got.length).toBe(2)
    expect((await info()).stats.outstandingMessagesCount).toBe(2)
    await holder.got[0]?.acknowledge()
    await expect.poll(async () => (await info()).stats.outstandingMessagesCount).toBe(1)
  })
})

describe('an event is parked', () => {
  test('on request, as a link with the reason, and other events continue', async () => {
    const { stream, consumer, parked, info } = await opened(2)
    const { got, has } = consumer()
    await has(2)
    await got[0]?.refuse('park', 'it cannot be handled')
    await got[1]?.acknowledge()
    await expect.poll(parked).toBe(1)
    const [link] = await parkedEvents(stream)
    expect(link?.event?.data).toEqual({ number: 0 })
    expect(link?.link?.metadata).toMatchObject({
      reason: 'it cannot be handled',
      added: expect.any(String),
      subscriptionEventNumber: 0,
    })
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(1n)
  })

  test('after its last retry', async () => {
    const { stream, consumer, parked } = await opened(1, { maxRetryCount: 2 })
    const { got, has } = consumer()
    for (const count of [1, 2, 3]) {
      await has(count)
      await got[count - 1]?.refuse('retry')
    }
    await expect.poll(parked).toBe(1)
    expect(got.map(({ retryCount }) => retryCount)).toEqual([0, 1, 2])
    const [link] = await parkedEvents(stream)
    expect(link?.link?.metadata).toMatchObject({ reason: 'Reached retry count of 2' })
  })

  test('until it is replayed, with all others or up to a number', async () => {
    const { consumer, parked, replay } = await opened(3)
    const { got, has, numbers } = consumer()
    await has(3)
    for (const each of got) await each.refuse('park')
    await expect.poll(parked).toBe(3)
    await expect(replay(-1)).rejects.toMatchObject({
      reason: 'Cannot stop replaying parked message at a negative version.',
    })
    await replay(2)
    await has(5)
    expect(numbers().slice(3)).toEqual([0, 1])
    expect(got[3]?.retryCount).toBe(0)
    expect(await parked()).toBe(1)
    await replay()
    await has(6)
    expect(await parked()).toBe(0)
    await replay()
    for (const each of got.slice(3)) await each.refuse('park')
    await expect.poll(parked).toBe(3)
  })

  test('and not replayed once it is truncated', async () => {
    const { stream, consumer, parked, replay } = await opened(2)
    const { got, has, numbers } = consumer()
    await has(2)
    for (const each of got) await each.refuse('park')
    await expect.poll(parked).toBe(2)
    await used.client.setStreamMetadata(stream, { truncateBefore: 1 })
    await replay()
    await has(3)
    expect(numbers()).toEqual([0, 1, 1])
  })
})

describe('checkpoints', () => {
  test('wait for the lowest event that is not handled', async () => {
    const { consumer, info } = await opened(4)
    const { got, has } = consumer()
    const last = async () => (await info()).stats.lastCheckpointedEventRevision
    await has(4)
    await got[0]?.acknowledge()
    await got[2]?.acknowledge()
    await got[3]?.acknowledge()
    await expect.poll(last).toBe(0n)
    await got[1]?.acknowledge()
    await expect.poll(last).toBe(3n)
  })

  test('are written at once at the maximum count', async () => {
    const { consumer, info } = await opened(6, { checkPointAfter: 3_600_000, checkPointUpperBound: 5 })
    const { got, has } = consumer()
    await has(6)
    for (const each of got.slice(0, 4)) await each.acknowledge()
    await expect.poll(async () => (await info()).stats.totalItems).toBe(4n)
    expect((await info()).stats.lastCheckpointedEventRevision).toBeUndefined()
    await got[4]?.acknowledge()
    await expect.poll(async () => (await info()).stats.lastCheckpointedEventRevision).toBe(4n)
  })
})

const main = join(import.meta.dirname, '../src/main.ts')

test('and groups and parked events survive kill -9, and no unacknowledged event is lost', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'persistent-'))
  const run = async () => {
    const child = spawn(process.execPath, [main, '--port', '0', '--directory', directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [line] = await once(child.stdout, 'data')
    const client = EventStoreDBClient.connectionString(JSON.parse(String(line)).connectionString)
    return { child, client }
  }
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const stream = newStream()
  const before = await run()
  await before.client.appendToStream(stream, many(6))
  const group = await openGroup(before.client, stream)
  const { got, has } = group.consumer()
  await has(6)
  for (const each of got.slice(0, 2)) await each.acknowledge()
  await got[2]?.refuse('park')
  await got[4]?.acknowledge()
  await expect.poll(async () => (await group.info()).stats.lastCheckpointedEventRevision).toBe(2n)
  before.child.kill('SIGKILL')
  await once(before.child, 'exit')
  await before.client.dispose()

  const after = await run()
  const info = () => after.client.getPersistentSubscriptionToStreamInfo(stream, 'group')
  expect(await info()).toMatchObject({ stats: { lastCheckpointedEventRevision: 2n, parkedMessageCount: 1n } })
  const again: number[] = []
  const subscription = after.client.subscribeToPersistentSubscriptionToStream(stream, 'group')
  subscription.on('data', (resolved) => {
    again.push((resolved.event?.data as { number: number } | undefined)?.number ?? -1)
    void subscription.ack(resolved)
  })
  // At least once: 4 was acknowledged, but 3 before it was not.
  await expect.poll(() => again).toEqual([3, 4, 5])
  await after.client.replayParkedMessagesToStream(stream, 'group')
  await expect.poll(() => again).toEqual([3, 4, 5, 2])
  await subscription.unsubscribe()
  await after.client.dispose()
})
