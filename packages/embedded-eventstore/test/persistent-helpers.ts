// Shared by tests of persistent subscriptions: groups with short limits, and consumers that record their events.
import {
  type EventStoreDBClient,
  type PersistentSubscriptionToStream,
  type PersistentSubscriptionToStreamSettings,
  persistentSubscriptionToStreamSettingsFromDefaults,
} from '@eventstore/db-client'
import { expect, onTestFinished } from 'vitest'

export const settings = (change: Partial<PersistentSubscriptionToStreamSettings> = {}) =>
  persistentSubscriptionToStreamSettingsFromDefaults({
    startFrom: 'start',
    checkPointAfter: 0,
    checkPointLowerBound: 1,
    ...change,
  })

type Got = {
  number: number
  retryCount: number
  acknowledge: () => Promise<void>
  refuse: (action: Action, reason?: string) => Promise<void>
}
type Action = 'park' | 'retry' | 'skip' | 'stop'

/** A consumer that collects its events, and acknowledges them only on request. */
export const consume = (subscription: PersistentSubscriptionToStream, { acknowledge = false } = {}) => {
  const got: Got[] = []
  let error: unknown
  subscription.on('error', (failed) => {
    error = failed
  })
  subscription.on('data', (resolved) => {
    const { event, retryCount } = resolved
    got.push({
      number: (event?.data as { number: number } | undefined)?.number ?? -1,
      retryCount,
      acknowledge: () => subscription.ack(resolved),
      refuse: (action, reason = 'for a test') => subscription.nack(action, reason, resolved),
    })
    if (acknowledge) void subscription.ack(resolved)
  })
  onTestFinished(() => void subscription.unsubscribe().catch(() => undefined))
  const numbers = () => got.map(({ number }) => number)
  return {
    subscription,
    got,
    numbers,
    error: () => error,
    /** Waits for this number of events. */
    has: (count: number) => expect.poll(numbers).toHaveLength(count),
    fails: () => expect.poll(() => error).toBeDefined(),
  }
}

export const openGroup = async (
  client: EventStoreDBClient,
  stream: string,
  change: Partial<PersistentSubscriptionToStreamSettings> = {},
  group = 'group',
) => {
  await client.createPersistentSubscriptionToStream(stream, group, settings(change))
  return {
    stream,
    group,
    consumer: (options: { acknowledge?: boolean; bufferSize?: number } = {}) =>
      consume(
        client.subscribeToPersistentSubscriptionToStream(
          stream,
          group,
          options.bufferSize === undefined ? {} : { bufferSize: options.bufferSize },
        ),
        options,
      ),
    info: () => client.getPersistentSubscriptionToStreamInfo(stream, group),
    parked: async () => {
      const { stats } = await client.getPersistentSubscriptionToStreamInfo(stream, group)
      return Number(stats.parkedMessageCount)
    },
    replay: (stopAt?: number) =>
      client.replayParkedMessagesToStream(stream, group, stopAt === undefined ? {} : { stopAt }),
  }
}
