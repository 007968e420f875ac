// Subscriptions: order, batches, checkpoints, and recovery from every kind of interruption.
import { randomUUID } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EventStoreDBClient } from '@eventstore/db-client'
import { start } from '@headwater/embedded-eventstore'
import { freePort } from '@headwater/test-kit/free-port'
import { afterEach, describe, expect, test } from 'vitest'
import { connectEventStore, type EventStore, type SubscriptionHandlers } from '../src/client/client.ts'
import { type Batch, type SubscriptionOptions, startSubscription } from '../src/client/subscription.ts'
import type { StoredEvent } from '../src/codec.ts'
import { beginning, comparePosition, type Position } from '../src/position.ts'
import { lineTo, logger, runPrefix, testStore, until } from './support.ts'

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
const newCategory = () => `${runPrefix}${randomUUID().slice(0, 8)}`
const event = () => ({ id: randomUUID(), type: 'Happened', data: { n: 1 }, metadata: {} })
const write = async (store: EventStore, category: string, count: number): Promise<string[]> => {
  const events = Array.from({ length: count }, event)
  await store.append(`${category}-${randomUUID()}`, events, 'no_stream')
  return events.map(({ id }) => id)
}

/** Follows a category and collects its batches. */
const follow = (store: EventStore, category: string, options: Partial<SubscriptionOptions> = {}) => {
  const batches: Batch[] = []
  const subscription = startSubscription({
    store,
    name: 'test',
    categories: [category],
    from: beginning,
    logger,
    handle: async (batch) => void batches.push(batch),
    ...options,
  })
  subscription.stopped.catch(() => undefined)
  endings.push(() => subscription.stop())
  return { subscription, batches, ids: () => batches.flatMap(({ events }) => events.map(({ id }) => id)) }
}

const at = (place: number): Position => ({ commit: BigInt(place), prepare: BigInt(place) })

/** A store whose subscriptions deliver events when the test says so. */
const scripted = () => {
  const opened: { after: Position; handlers: SubscriptionHandlers }[] = []
  const calls = { paused: 0, resumed: 0 }
  const store = {
    subscribe: (_categories: readonly string[], after: Position, handlers: SubscriptionHandlers) => {
      opened.push({ after, handlers })
      return { pause: () => calls.paused++, resume: () => calls.resumed++, close: () => undefined }
    },
    head: async () => beginning,
    eventAfter: async () => undefined,
  } as unknown as EventStore
  const recorded = (place: number): StoredEvent => ({
    id: String(place),
    stream: 'thing-1',
    revision: BigInt(place),
    position: at(place),
    type: 'Happened',
    data: {},
    metadata: {},
    recordedAt: new Date(0),
  })
  const bring = (first: number, last: number) => {
    for (let place = first; place <= last; place++) opened.at(-1)?.handlers.onEvent(recorded(place))
  }
  return { store, opened, calls, bring }
}

describe('the buffer of received events', () => {
  /** Follows with a handler that the test releases. */
  const followSlowly = (batchSizeMax: number) => {
    const script = scripted()
    const gate = Promise.withResolvers<void>()
    const batches: Batch[] = []
    const { subscription } = follow(script.store, 'thing', {
      batchSizeMax,
      handle: async (batch) => {
        batches.push(batch)
        await gate.promise
      },
    })
    const ids = () => batches.flatMap(({ events }) => events.map(({ id }) => Number(id)))
    return { ...script, batches, ids, subscription, release: gate.resolve }
  }

  test('does not advance the position of a batch', async () => {
    const { bring, batches, release, opened } = followSlowly(2)
    bring(1, 5)
    opened[0]?.handlers.onCheckpoint(at(9))
    release()
    await until('all are handled', () => batches.at(-1)?.position.commit === 9n)
    expect(batches.map(({ position }) => Number(position.commit))).toEqual([2, 4, 9])
  })

  test('is bounded: the subscription is paused when it is full, and resumed when there is room', async () => {
    const { bring, calls, release, batches, ids } = followSlowly(2)
    bring(1, 1)
    await until('the first is in hand', () => batches.length === 1)
    bring(2, 4)
    expect(calls).toEqual({ paused: 0, resumed: 0 })
    bring(5, 5)
    expect(calls).toEqual({ paused: 1, resumed: 0 })
    release()
    await until('all are handled', () => ids().length === 5)
    expect(calls).toEqual({ paused: 1, resumed: 1 })
  })

  test('is neither requested again nor delivered twice after a reconnection', async () => {
    const { bring, opened, release, batches, ids } = followSlowly(2)
    bring(1, 1)
    await until('the first is in hand', () => batches.length === 1)
    bring(2, 3)
    opened[0]?.handlers.onEnd(new Error('the line is cut'))
    await until('it is opened again', () => opened.length === 2)
    expect(opened[1]?.after).toEqual(at(3))
    bring(4, 4)
    release()
    await until('all are handled', () => ids().length === 4)
    expect(ids()).toEqual([1, 2, 3, 4])
  })

  test('keeps the subscription from being caught up', async () => {
    const { bring, opened, release, batches, subscription } = followSlowly(2)
    bring(1, 3)
    opened[0]?.handlers.onCaughtUp()
    await until('the first are in hand', () => batches.length === 1)
    expect(subscription.stats().caughtUp).toBe(false)
    release()
    await subscription.whenCaughtUp()
    expect(subscription.stats()).toMatchObject({ caughtUp: true, position: at(3) })
  })
})

test('`reconnected` runs once per reconnection, before its events and also without any, and not for the first connection', async () => {
  const { store, bring, opened } = scripted()
  const told: string[] = []
  follow(store, 'thing', {
    reconnected: async () => void told.push('reconnected'),
    handle: async ({ events }) => void told.push(...events.map(({ id }) => id)),
  })
  bring(1, 1)
  await until('the first is handled', () => told.length === 1)
  opened[0]?.handlers.onEnd(new Error('the line is cut'))
  await until('it is opened again', () => opened.length === 2)
  bring(2, 2)
  await until('the second is handled', () => told.length === 3)
  opened[1]?.handlers.onEnd(new Error('the line is cut'))
  await until('it is opened again', () => opened.length === 3)
  opened[2]?.handlers.onCaughtUp()
  await until('it is told', () => told.length === 4)
  expect(told).toEqual(['1', 'reconnected', '2', 'reconnected'])
})

describe('order and batches', () => {
  test('all events of its categories and no others are delivered in order, before and after it has caught up', async () => {
    const store = connect(await newStore())
    const [category, other] = [newCategory(), newCategory()]
    const before = await write(store, category, 10)
    await write(store, other, 10)
    const { subscription, ids } = follow(store, category)
    await subscription.whenCaughtUp()
    expect(ids()).toEqual(before)
    const after = await write(store, category, 10)
    await until('the new events are there', () => ids().length === 20)
    expect(ids()).toEqual([...before, ...after])
  })

  test('a batch has a maximum size, and the position of its last event while more events are buffered', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    await write(store, category, 100)
    const { subscription, batches, ids } = follow(store, category, { batchSizeMax: 7 })
    await subscription.whenCaughtUp()
    expect(ids()).toHaveLength(100)
    let last: Position = beginning
    for (const { events, position } of batches) {
      expect(events.length).toBeLessThanOrEqual(7)
      for (const { position: at } of events) {
        expect(comparePosition(at, last)).toBeGreaterThan(0)
        last = at
      }
      expect(comparePosition(position, last)).toBeGreaterThanOrEqual(0)
      last = position
    }
  })

  test('resuming from any checkpoint repeats and skips no event', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    const written = await write(store, category, 40)
    const { subscription, batches } = follow(store, category, { batchSizeMax: 9 })
    await subscription.whenCaughtUp()
    for (const [index, { position }] of batches.entries()) {
      const seen = batches.slice(0, index + 1).flatMap(({ events }) => events.map(({ id }) => id))
      const rest = follow(store, category, { from: position })
      await rest.subscription.whenCaughtUp()
      expect([...seen, ...rest.ids()]).toEqual(written)
    }
  })

  test('the checkpoint moves over events of other categories', async () => {
    const store = connect(await newStore())
    const [category, other] = [newCategory(), newCategory()]
    await write(store, category, 1)
    const { subscription } = follow(store, category)
    await subscription.whenCaughtUp()
    for (let stream = 0; stream < 4; stream++) await write(store, other, 400)
    await until('the checkpoint is past the first thousand', async () => {
      const head = await store.head()
      const { position } = subscription.stats()
      return head.commit - position.commit < 600n || process.env.EVENTSTORE_URL !== undefined
    })
  })

  test('the checkpoint reaches the head after a few events of other categories', async () => {
    const store = connect(await newStore())
    const [category, other] = [newCategory(), newCategory()]
    await write(store, category, 1)
    const { subscription, batches, ids } = follow(store, category)
    await subscription.whenCaughtUp()
    for (let round = 0; round < 3; round++) {
      await write(store, other, 1)
      const head = await store.head()
      await until('it is there', () => comparePosition(subscription.stats().position, head) >= 0)
    }
    const own = await write(store, category, 2)
    await until('its own are there', () => ids().length === 3)
    expect(ids().slice(1)).toEqual(own)
    const positions = batches.map(({ position }) => position)
    expect(positions).toEqual(positions.toSorted(comparePosition))
    expect(subscription.stats().reconnects).toBe(0)
  })

  test('an idle subscription moves to the head without reopening when only other categories were written', async () => {
    const { store, bring, opened } = scripted()
    let head = at(1)
    const { subscription, batches } = follow({ ...store, head: async () => head }, 'thing', { quietMsMax: 5 })
    bring(1, 1)
    await until('the first is handled', () => batches.length === 1)
    head = at(7)
    await until('it has moved', () => subscription.stats().position.commit === 7n)
    expect(batches.at(-1)).toEqual({ events: [], position: at(7) })
    // A late message of the server does not move it back.
    opened[0]?.handlers.onCheckpoint(at(5))
    bring(9, 9)
    await until('the next is handled', () => batches.length === 3)
    expect(batches.at(-1)?.position).toEqual(at(9))
    expect(opened).toHaveLength(1)
  })

  test('a new connection does not advance the position before its first message, because it may lead to another store', async () => {
    const { store, bring, opened } = scripted()
    let asked = 0
    const head = async () => {
      asked++
      return at(opened.length > 1 ? 20 : 9)
    }
    const { subscription, batches } = follow({ ...store, head }, 'thing', { quietMsMax: 5 })
    bring(9, 9)
    await until('it is handled', () => batches.length === 1)
    opened[0]?.handlers.onEnd(new Error('the line is cut'))
    await until('it is opened again', () => opened.length === 2)
    const before = asked
    await until('the store was asked', () => asked > before + 2)
    expect(subscription.stats().position).toEqual(at(9))
  })

  test('every event that 16 writers got acknowledged is delivered once', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    const { ids } = follow(store, category)
    const written = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const own: string[] = []
        for (let round = 0; round < 20; round++) own.push(...(await write(store, category, 1 + (round % 5))))
        return own
      }),
    )
    const all = written.flat()
    await until('all were handed over', () => ids().length >= all.length)
    expect(ids().sort()).toEqual(all.sort())
  })

  test('with a slow handler the buffer stays bounded and no event is lost', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const seen: string[] = []
    const written: string[] = []
    for (let stream = 0; stream < 10; stream++) written.push(...(await write(store, category, 50)))
    const { subscription } = follow(store, category, {
      batchSizeMax: 10,
      handle: async ({ events }) => {
        await held
        seen.push(...events.map(({ id }) => id))
      },
    })
    release()
    await subscription.whenCaughtUp()
    expect(seen).toEqual(written)
  })
})

describe('interruptions', () => {
  test('a handler that fails ends the subscription, which rejects with its error', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    await write(store, category, 3)
    let calls = 0
    const { subscription } = follow(store, category, {
      handle: async () => {
        calls++
        throw new Error('this event is bad')
      },
    })
    await expect(subscription.stopped).rejects.toThrow('this event is bad')
    await write(store, category, 1)
    expect(calls).toBe(1)
    await expect(subscription.whenCaughtUp()).rejects.toThrow()
  })

  test('a subscription resumes at its position after a cut connection', async () => {
    const line = await lineTo(await newStore())
    endings.push(() => line.close())
    const store = connect(line.url)
    const category = newCategory()
    const { subscription, ids } = follow(store, category)
    const written: string[] = []
    for (let round = 0; round < 5; round++) {
      written.push(...(await write(store, category, 5)))
      line.cut()
    }
    written.push(...(await write(store, category, 5)))
    await until('all were handed over', () => ids().length >= written.length)
    expect(ids()).toEqual(written)
    expect(subscription.stats().reconnects).toBeGreaterThan(0)
  })

  test('a connection that is silent while events lie ahead is replaced', async () => {
    const url = await newStore()
    const line = await lineTo(url)
    endings.push(() => line.close())
    const [store, direct] = [connect(line.url), connect(url)]
    const category = newCategory()
    const { subscription, ids } = follow(store, category, { silenceMsMax: 200 })
    const before = await write(direct, category, 1)
    await until('the first is there', () => ids().length === 1)
    line.freeze()
    const after = await write(direct, category, 3)
    await until('the others are there', () => ids().length === 4)
    expect(ids()).toEqual([...before, ...after])
    expect(subscription.stats().reconnects).toBeGreaterThan(0)
  })

  test.runIf(process.env.EVENTSTORE_URL === undefined)('a subscription survives restarts of the server', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'restarted-'))
    const port = await freePort()
    let node = await start({ port, directory })
    endings.push(() => node.stop())
    const store = connect(node.connectionString)
    const category = newCategory()
    const { ids } = follow(store, category)
    const written = await write(store, category, 3)
    for (let round = 0; round < 3; round++) {
      await until('all so far were handed over', () => ids().length === written.length)
      await node.stop()
      node = await start({ port, directory })
      written.push(...(await write(store, category, 3)))
    }
    await until('all were handed over', () => ids().length >= written.length)
    expect(ids()).toEqual(written)
  })

  test.runIf(process.env.EVENTSTORE_URL === undefined)(
    'metadata that hides events is noticed, also when it was written during a disconnection',
    async () => {
      const directory = mkdtempSync(path.join(tmpdir(), 'unreachable-'))
      const port = await freePort()
      let node = await start({ port, directory })
      endings.push(() => node.stop())
      const store = connect(node.connectionString)
      expect(store.mayHideEvents('till-a')).toBe(false)
      await write(store, newCategory(), 1)
      await node.stop()
      node = await start({ port: 0, directory })
      const elsewhere = EventStoreDBClient.connectionString(node.connectionString)
      await elsewhere.setStreamMetadata('till-a', { truncateBefore: 1 })
      await elsewhere.dispose()
      await node.stop()
      node = await start({ port, directory })
      await until('it is noticed', () => store.mayHideEvents('till-a'))
    },
  )

  test('the delay between attempts grows while the store ends every subscription', async () => {
    const { store, opened } = scripted()
    const openedAt: number[] = []
    const subscribe: EventStore['subscribe'] = (categories, after, handlers) => {
      openedAt.push(performance.now())
      setImmediate(() => handlers.onEnd(new Error('not now')))
      return store.subscribe(categories, after, handlers)
    }
    follow({ ...store, subscribe }, 'thing')
    await until('it was tried a few times', () => opened.length === 5)
    const [first = 0, , , , last = 0] = openedAt
    // At least half of 50, 100, 200 and 400 ms.
    expect(last - first).toBeGreaterThan(370)
  })

  test('stopping waits for the current batch and delivers no more', async () => {
    const store = connect(await newStore())
    const category = newCategory()
    await write(store, category, 1)
    let finished = 0
    let entered: () => void = () => undefined
    const inHand = new Promise<void>((resolve) => {
      entered = resolve
    })
    const { subscription } = follow(store, category, {
      handle: async () => {
        entered()
        await store.head()
        finished++
      },
    })
    await inHand
    await subscription.stop()
    expect(finished).toBe(1)
    await write(store, category, 1)
    expect(finished).toBe(1)
  })
})
