// Read models after a restore: they refuse another history, serve what they have, and are right once they are built again.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { nameStoreAnew } from '@headwater/eventstore/store-name'
import { streamName } from '@headwater/eventstore/stream-name'
import { takeLease } from '@headwater/postgres/lease'
import { openPool } from '@headwater/postgres/pool'
import { testDatabase } from '@headwater/test-kit/database'
import { startRestorablePostgres, startRestorableStore } from '@headwater/test-kit/restorable'
import { logger, places, putIn, type TillEvent, tillsOf, until } from '@headwater/test-kit/toys/tills'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPostgresSink } from '../src/postgres/sink.ts'
import { startProjection } from '../src/run/projection.ts'
import type { RunningProjection } from '../src/run/running-projection.ts'

const startStore = async () => {
  const node = await startRestorableStore()
  const store = connectEventStore({ url: node.connectionString, logger })
  onTestFinished(store.close)
  await store.storeId() // it has a name before it is backed up
  const append = async (category: string, tillId: string, event: TillEvent) => {
    const stream = streamName(category, tillId)
    const last = (await store.readStream(stream, 0n, 1_000)).at(-1)
    const outcome = await store.append(
      stream,
      [{ ...event, id: randomUUID(), metadata: {} }],
      last?.revision ?? 'no_stream',
    )
    if (outcome.outcome !== 'appended') throw new Error(outcome.outcome)
    return outcome.position
  }
  return { node, store, append }
}

const tills = tillsOf('till')

describe.each(Object.entries(places))('%s, of an older event store', (_name, openPlace) => {
  const follow = async () => {
    const { node, store, append } = await startStore()
    const place = await openPlace()
    onTestFinished(place.remove)
    let running: RunningProjection | undefined
    onTestFinished(async () => running?.stop())
    const start = () => {
      const sink = place.openSink()
      running = startProjection({ store, sink, projection: tills, logger })
      return { projection: running, sink }
    }
    const stop = async () => {
      await running?.stop()
      running = undefined
    }
    const amounts = async () => Object.fromEntries((await place.rows()).value.map((row) => [row.tillId, row.amount]))
    const refusal = async (projection: RunningProjection) => {
      await until('it refuses', () => projection.status().rebuildNeeded)
      return projection.status().reason
    }
    return { node, store, append, place, start, stop, amounts, refusal }
  }

  test('one that is ahead refuses, with the command; it serves what it has until it is built again', async () => {
    const on = await follow()
    await on.append('till', 'a', putIn('a', 1))
    await on.node.backUp('backup')
    const lost = await on.append('till', 'b', putIn('b', 1))
    on.start()
    expect(await on.place.waitFor(lost, 20_000)).toBe(true)
    await on.stop()
    await on.node.restore('backup')

    const { projection, sink } = on.start()
    expect(await on.refusal(projection)).toMatch(
      /The event store ends before the checkpoint .*npm run headwater -- projections rebuild tills/,
    )
    expect(await on.amounts()).toEqual({ a: 1, b: 1 })
    await on.append('till', 'c', putIn('c', 1))
    await sink.wishes?.add({ kind: 'rebuild', eventId: '', by: 'nils', at: new Date(), coresMax: 2 })
    await until('it is built again', async () => (await sink.wishes?.all())?.length === 0)
    await until('readers see it', async () => (await on.amounts()).b === undefined)
    expect(await on.amounts()).toEqual({ a: 1, c: 1 })
    expect(await on.place.waitFor(await on.append('till', 'd', putIn('d', 1)), 20_000)).toBe(true)
  })

  test('one that was away while the store grew past it knows by the name: it would have missed events in silence', async () => {
    const on = await follow()
    await on.append('till', 'a', putIn('a', 1))
    await on.node.backUp('backup')
    on.start()
    // Of nobody's concern here, but the checkpoint moves over them.
    for (let n = 0; n < 5; n++) await on.append('other', `${n}`, putIn(`${n}`, 1))
    expect(await on.place.waitFor(await on.store.head(), 20_000)).toBe(true)
    await on.stop()
    await on.node.restore('backup')
    await nameStoreAnew(on.store)
    for (let n = 0; n < 10; n++) await on.append('till', 'a', putIn('a', 1))

    const { projection, sink } = on.start()
    expect(await on.refusal(projection)).toMatch(/This is another event store/)
    await sink.wishes?.add({ kind: 'rebuild', eventId: '', by: 'nils', at: new Date(), coresMax: 2 })
    await until('it is built again', async () => (await on.amounts()).a === 11)
  })

  test('one that runs on through the restore refuses when it has found the store again', async () => {
    const on = await follow()
    await on.append('till', 'a', putIn('a', 1))
    await on.node.backUp('backup')
    const lost = await on.append('till', 'b', putIn('b', 1))
    const { projection } = on.start()
    expect(await on.place.waitFor(lost, 20_000)).toBe(true)
    await on.node.restore('backup')
    expect(await on.refusal(projection)).toMatch(/The event store ends before the checkpoint|another event store/)
  })
})

test('an older Postgres: of writers that have lived on and new ones, with equal epochs, nothing is counted twice', async () => {
  const { store, append } = await startStore()
  const postgres = await startRestorablePostgres()
  const { url } = postgres
  const start = () => {
    const projection = startProjection({
      store,
      sink: openPostgresSink({ url, projection: tills, logger }),
      projection: tills,
      logger,
    })
    onTestFinished(projection.stop)
    return projection
  }
  const stored = async () => {
    const { rows } = await postgres
      .client()
      .query<{ amount: number; epoch: string }>(
        `select amount::int, epoch from tills_v1.tills, tills_v1.checkpoint where "tillId" = 'a'`,
      )
    return rows[0]
  }
  const has = (amount: number) => until(`it has ${amount}`, async () => (await stored())?.amount === amount)

  const first = start()
  await first.whenLive()
  await append('till', 'a', putIn('a', 1))
  await has(1)
  expect(await stored()).toMatchObject({ epoch: '1' })
  await postgres.backUp('backup')
  await first.stop()
  const survivor = start() // epoch 2
  await append('till', 'a', putIn('a', 1))
  await has(2)
  await postgres.restore('backup')

  // The next to claim has the epoch of the one that lives on.
  const successor = start()
  await until('somebody has it', async () => {
    await append('till', 'b', putIn('b', 1))
    return [survivor, successor].some((one) => one.status().state === 'live')
  })
  for (let n = 0; n < 20; n++) await append('till', 'a', putIn('a', 1))
  await has(22)
  const states = () => [survivor, successor].map((one) => one.status().state).toSorted()
  await until('one works and one waits', () => states().join() === 'live,standing by')
  expect(await stored()).toMatchObject({ amount: 22, epoch: '2' })
})

test('a lease that was restored is free; whoever held its epoch before does not keep another from taking it', async () => {
  const { url, remove } = await testDatabase()
  const pool = openPool(url, 5, logger)
  onTestFinished(async () => {
    await pool.end()
    await remove()
  })
  const survivor = await takeLease(pool, 'tills', 'survivor', logger)
  // As a restore leaves it: another has the same epoch, and is gone.
  await pool.query("update headwater.leases set holder = 'gone', expires_at = clock_timestamp() - interval '1 day'")
  const restored = await takeLease(pool, 'tills', 'successor', logger)
  expect(restored?.epoch).toBe(2n)
  await restored?.release()
  await pool.query(
    "update headwater.leases set holder = 'gone', epoch = 1, expires_at = clock_timestamp() + interval '3 s'",
  )
  await until('it has run out', async () => (await takeLease(pool, 'tills', 'another', logger)) !== undefined)
  await survivor?.release()
})
