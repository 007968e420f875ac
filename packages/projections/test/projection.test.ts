// A projection from the event store to both kinds of read model, with the faults that it must survive.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning, formatPosition } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { freePort } from '@headwater/test-kit/free-port'
import {
  at,
  close,
  logger,
  type Place,
  places,
  putIn,
  storedAt,
  type TillEvent,
  tills,
  tillsOf,
  until,
} from '@headwater/test-kit/toys/tills'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Sink } from '../src/model/sink.ts'
import { assertOrder } from '../src/model/step.ts'
import { startProjection } from '../src/run/projection.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'

let url: string
let stopStore: () => Promise<unknown>
let store: EventStore

beforeAll(async () => {
  const given = process.env.EVENTSTORE_URL
  const node = given ? undefined : await start({ port: 0, memory: true })
  url = given ?? node?.connectionString ?? ''
  store = connectEventStore({ url, logger })
  stopStore = async () => {
    await store.close()
    await node?.stop()
  }
})
afterAll(() => stopStore())

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let place: Place
  let category: string
  const running: RunningProjection[] = []

  beforeEach(async () => {
    place = await openPlace()
    category = `till${randomUUID().replaceAll('-', '')}`
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((projection) => projection.stop()))
    await place.remove()
  })

  const project = (
    change: Partial<typeof tills> = {},
    sink: Sink = place.openSink(),
    from: EventStore = store,
  ): RunningProjection => {
    const projection = startProjection({ store: from, sink, projection: { ...tillsOf(category), ...change }, logger })
    running.push(projection)
    return projection
  }

  const stop = async (projection: RunningProjection) => {
    running.splice(running.indexOf(projection), 1)
    await projection.stop()
  }

  const append = async (tillId: string, ...events: readonly TillEvent[]) => {
    const stream = streamName(category, tillId)
    const known = await store.readStream(stream, 0n, 1_000)
    const expected = known.at(-1)?.revision ?? 'no_stream'
    const outcome = await store.append(
      stream,
      events.map((event) => ({ ...event, id: randomUUID(), metadata: {} })),
      expected,
    )
    if (outcome.outcome !== 'appended') throw new Error(outcome.outcome)
    return outcome.position
  }

  const amounts = async () =>
    Object.fromEntries((await place.rows()).value.map(({ tillId, amount }) => [tillId, amount]))
  const arrived = async (position: { commit: bigint; prepare: bigint }) => {
    if (!(await place.waitFor(position, 20_000))) throw new Error(`${formatPosition(position)} did not arrive.`)
  }
  const stopped = (projection: RunningProjection) =>
    until('the projection stops', () => projection.status().state === 'stopped')

  test('events appended before and after the start are projected', async () => {
    await append('a', putIn('a', 1))
    const projection = project()
    await projection.whenLive()
    expect(await amounts()).toEqual({ a: 1 })
    await arrived(await append('b', putIn('b', 2), putIn('b', 3)))
    expect(await amounts()).toEqual({ a: 1, b: 5 })
    expect(projection.status()).toMatchObject({ state: 'live', rebuildNeeded: false })
    expect(projection.status()).toMatchObject({ reason: undefined, event: undefined })
  })

  test('a restart continues where the last run ended, and doubles no event', async () => {
    const first = project()
    await arrived(await append('a', putIn('a', 1)))
    await stop(first)
    const position = await append('a', putIn('a', 1))
    project()
    await arrived(position)
    expect(await amounts()).toEqual({ a: 2 })
  })

  test('events of 16 concurrent writers are all projected, once each', async () => {
    project()
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let n = 0; n < 25; n++) await append(`${writer}-${n % 5}`, putIn(`${writer}-${n % 5}`, 1))
    })
    await Promise.all(writers)
    await arrived(await append('last', putIn('last', 5)))
    const projected = await amounts()
    expect(Object.keys(projected)).toHaveLength(81)
    expect(new Set(Object.values(projected))).toEqual(new Set([5]))
  })

  test('every rebuild gives the same rows', async () => {
    for (let n = 0; n < 20; n++) await append(`${n}`, putIn(`${n}`, n))
    await append('3', close('3'))
    const seen: unknown[] = []
    for (let run = 0; run < 3; run++) {
      const projection = project()
      await projection.whenLive()
      seen.push(await amounts())
      await stop(projection)
      await place.drop()
    }
    expect(Object.keys(seen[0] ?? {})).toHaveLength(19)
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
  })

  test('the projection waits for the end of an outage, and reports it meanwhile', async () => {
    const projection = project()
    await arrived(await append('a', putIn('a', 1)))
    const heal = await place.interrupt()
    const position = await append('a', putIn('a', 1))
    await until('the outage is noticed', () => projection.status().reason !== undefined)
    expect(projection.status().state).not.toBe('stopped')
    expect(await projection.lagMs()).toBeGreaterThan(0)
    await heal()
    await arrived(position)
    await until('the outage is over', () => projection.status().reason === undefined)
    expect(await amounts()).toEqual({ a: 2 })
    // Readers may see the rows a moment before the writer knows.
    await until('nothing is missing', async () => (await projection.lagMs()) === 0)
  })

  test('a commit whose answer is lost is not repeated', async () => {
    const sink = place.openSink()
    const lost = new Error('the answer is lost')
    let losses = 0
    const deaf: Sink = {
      ...sink,
      blame: (error) => (error === lost ? 'unavailable' : sink.blame(error)),
      commit: async (step) => {
        const outcome = await sink.commit(step)
        if (losses++ % 2 === 0) throw lost
        return outcome
      },
    }
    const projection = project({}, deaf)
    await projection.whenLive()
    const { epoch } = await sink.checkpoint()
    await arrived(await append('a', putIn('a', 1)))
    await arrived(await append('a', putIn('a', 1), putIn('a', 1)))
    expect(losses).toBeGreaterThan(1)
    expect(await amounts()).toEqual({ a: 3 })
    // It recognized its own commit: otherwise it would have stood by and claimed again.
    expect((await sink.checkpoint()).epoch).toBe(epoch)
  })

  test('repeated events are not projected again', async () => {
    const first = project()
    await arrived(await append('a', putIn('a', 1), putIn('a', 1)))
    await stop(first)
    const fromTheBeginning: EventStore = {
      ...store,
      subscribe: (categories, _after, handlers) => store.subscribe(categories, beginning, handlers),
    }
    const position = await append('a', putIn('a', 1))
    const projection = project({}, place.openSink(), fromTheBeginning)
    await arrived(position)
    expect(await amounts()).toEqual({ a: 3 })
    expect(projection.status().reason).toBeUndefined()
  })

  test('events out of order stop the projection, which writes none after them', async () => {
    const swapping: EventStore = {
      ...store,
      subscribe: (categories, after, handlers) => {
        let held: StoredEvent | undefined
        const onEvent = (event: StoredEvent) => {
          if (held) {
            handlers.onEvent(event)
            handlers.onEvent(held)
          }
          held = held ? undefined : event
        }
        return store.subscribe(categories, after, { ...handlers, onEvent })
      },
    }
    await append('a', putIn('a', 1), putIn('a', 1))
    const projection = project({}, place.openSink(), swapping)
    await stopped(projection)
    expect(projection.status().reason).toMatch(/out of order/)
    expect(await amounts()).toEqual({})
  })

  test('of two writers one works, and the other stands by and takes over when the first is gone', async () => {
    const first = project()
    await arrived(await append('a', putIn('a', 1)))
    const second = project()
    await until('the second has begun', () => second.status().state !== 'starting')
    // A superseded writer notices at its next write.
    let position = await append('a', putIn('a', 1))
    await arrived(position)
    await until('one stands by', () => [first, second].some((p) => p.status().state === 'standing by'))
    const [active, standby] = first.status().state === 'standing by' ? [second, first] : [first, second]
    await stop(active)
    position = await append('a', putIn('a', 1))
    await arrived(position)
    await until('it works', () => standby.status().state === 'live')
    expect(await amounts()).toEqual({ a: 3 })
  })

  const spoiled = async (spoil: (sink: Sink) => Promise<void>): Promise<RunningProjection> => {
    const sink = place.openSink()
    await spoil(sink)
    await sink.close()
    const projection = project()
    await stopped(projection)
    return projection
  }
  const step = async (sink: Sink, storeId: string, place: bigint, id?: string) => {
    const from = await sink.claim(storeId)
    if (!from) throw new Error('The claim was refused.')
    const lastEvent = id === undefined ? undefined : { id, position: at(place) }
    const to = { ...from, position: at(place), lastEvent }
    await sink.commit({ from, to, keys: new Map(), evolve: () => [] })
  }

  test.each([
    // In the first only the store differs, in the second only the position.
    ['of another event store', async (sink: Sink) => step(sink, randomUUID(), 0n)],
    ['beyond the end of the store', async (sink: Sink) => step(sink, await store.storeId(), 2n ** 60n)],
    [
      'with another event at its place',
      async (sink: Sink) => step(sink, await store.storeId(), (await append('a', putIn('a', 1))).commit, randomUUID()),
    ],
  ])('a checkpoint %s is never used: rebuild needed', async (_what, spoil) => {
    const projection = await spoiled(spoil)
    expect(projection.status()).toMatchObject({ state: 'stopped', rebuildNeeded: true })
    expect(projection.status().reason).toMatch(/has to be rebuilt: npm run headwater/)
    await stop(projection)
    await place.drop()
    const rebuilt = project()
    await rebuilt.whenLive()
  })
})

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  test.each([
    ['longer', 30],
    ['shorter', 1],
  ])('a projection notices when the store comes back with another history, a %s one', async (_what, length) => {
    const place = await openPlace()
    const port = await freePort()
    let node = await start({ port, memory: true })
    const client = connectEventStore({ url: node.connectionString, logger })
    const appendTo = async (count: number) => {
      const events = Array.from({ length: count }, () => ({ ...putIn('a', 1), id: randomUUID(), metadata: {} }))
      await client.append('till-a', events, 'no_stream')
    }
    await appendTo(3)
    const projection = startProjection({ store: client, sink: place.openSink(), projection: tills, logger })
    await projection.whenLive()
    const { position } = projection.status()
    await node.stop()
    node = await start({ port, memory: true })
    await appendTo(length)
    await until('it stops', () => projection.status().state === 'stopped')
    expect(projection.status()).toMatchObject({ rebuildNeeded: true, position })
    await projection.stop()
    await client.close()
    await node.stop()
    await place.remove()
  })
})

test('events out of order stop a projection before anything is written', () => {
  const [one, two] = [storedAt(1, putIn('a', 1)), storedAt(2, putIn('a', 1))]
  const from = {
    position: at(0),
    lastEvent: undefined,
    storeId: '',
    build: '',
    epoch: 1n,
    deadLetters: [],
    replacedTexts: 0,
  }
  expect(() => assertOrder(from, { events: [two, one], position: at(2) })).toThrow(/out of order/)
  expect(() => assertOrder(from, { events: [one, one], position: at(2) })).toThrow(/out of order/)
  expect(() => assertOrder(from, { events: [one, two], position: at(1) })).toThrow(/before its last event/)
})
