// The published client, as a program that uses the embedded event store has it: appends, reads, and subscriptions.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, excludeSystemEvents, jsonEvent } from '@eventstore/db-client'
import { serveTasks } from '../worker.ts'

let client: EventStoreDBClient | undefined
const opened = (): EventStoreDBClient => {
  if (!client) throw new Error('No client is open.')
  return client
}

const eventOf = (number: number) =>
  jsonEvent({
    type: 'Deposited',
    data: { accountId: randomUUID(), amount: number, currency: 'EUR', reference: `payment ${number}`, at: Date.now() },
    metadata: { commandId: randomUUID(), actor: 'bench' },
  })

/** Does `act` so often at once, again and again. @returns how often a second */
const often = async (
  inFlight: number,
  durationMs: number,
  act: (number: number) => Promise<unknown>,
): Promise<number> => {
  const began = performance.now()
  let count = 0
  const one = async () => {
    while (performance.now() - began < durationMs) await act(count++)
  }
  await Promise.all(Array.from({ length: inFlight }, one))
  return count / ((performance.now() - began) / 1_000)
}

const p99 = (times: readonly number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN

const subscribeAndPublish = async (subscriptions: number, perSecond: number, seconds: number) => {
  const store = opened()
  const delays: number[] = []
  let received = 0
  const caughtUp: Promise<void>[] = []
  const open = Array.from({ length: subscriptions }, () => {
    const subscription = store.subscribeToAll({ fromPosition: 'end', filter: excludeSystemEvents() })
    caughtUp.push(new Promise((resolve) => subscription.once('caughtUp', resolve)))
    subscription.on('data', ({ event }) => {
      received++
      delays.push(Date.now() - Number((event?.data as { at: number } | undefined)?.at))
    })
    return subscription
  })
  await Promise.all(caughtUp)
  const began = performance.now()
  const count = perSecond * seconds
  for (let n = 0; n < count; n++) {
    const due = began + (n * 1_000) / perSecond
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
    await store.appendToStream(`live-${randomUUID()}`, eventOf(n))
  }
  const lateMsMax = 10_000
  const deadline = performance.now() + lateMsMax
  while (received < count * subscriptions && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20))
  await Promise.all(open.map((subscription) => subscription.unsubscribe()))
  return { missing: count * subscriptions - received, p99Ms: p99(delays) }
}

const tasks = {
  open: async ({ url }: { readonly url: string }): Promise<void> => {
    client = EventStoreDBClient.connectionString(url)
    await client.appendToStream(`warm-${randomUUID()}`, eventOf(0))
  },
  close: async (_: undefined): Promise<void> => {
    await client?.dispose()
    client = undefined
  },
  /** @returns appends a second, each to a stream of its own */
  append: ({
    inFlight,
    events,
    durationMs,
  }: {
    readonly inFlight: number
    readonly events: number
    readonly durationMs: number
  }) =>
    often(inFlight, durationMs, (number) =>
      opened().appendToStream(
        `bench-${randomUUID()}`,
        Array.from({ length: events }, () => eventOf(number)),
      ),
    ),
  /** As many appends at once. @returns how many failed */
  burst: async ({ appends }: { readonly appends: number }): Promise<number> => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: appends }, (_, number) => opened().appendToStream(`burst-${randomUUID()}`, eventOf(number))),
    )
    return outcomes.filter(({ status }) => status === 'rejected').length
  },
  fill: async ({ stream, events }: { readonly stream: string; readonly events: number }): Promise<void> => {
    const atOnce = 500
    for (let from = 0; from < events; from += atOnce)
      await opened().appendToStream(
        stream,
        Array.from({ length: Math.min(atOnce, events - from) }, (_, n) => eventOf(from + n)),
      )
  },
  /** @returns how many events were read */
  read: async ({ stream }: { readonly stream: string }): Promise<number> => {
    let count = 0
    for await (const _ of opened().readStream(stream)) count++
    return count
  },
  /** Whole streams, one after the other, a few at once. @returns streams a second */
  readMany: ({
    prefix,
    streams,
    durationMs,
  }: {
    readonly prefix: string
    readonly streams: number
    readonly durationMs: number
  }) => {
    /** A prime, so that the streams are visited all over the place. */
    const stride = 7_919
    return often(4, durationMs, async (number) => {
      for await (const _ of opened().readStream(`account-${prefix}-${(number * stride) % streams}`));
    })
  },
  subscribeAndPublish: ({
    subscriptions,
    perSecond,
    seconds,
  }: {
    readonly subscriptions: number
    readonly perSecond: number
    readonly seconds: number
  }) => subscribeAndPublish(subscriptions, perSecond, seconds),
}

export type NodeClientTasks = typeof tasks

serveTasks(tasks)
