// Read models after a restore: they refuse another history, still serve their rows, and are correct after a rebuild.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { assignNewStoreId } from '@headwater/eventstore/store-name'
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
  await store.storeId() // assigns the store ID before the backup
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

  test('a read model that is ahead refuses with the command to run, and serves its rows until it is rebuilt', async () => {
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

  test('a read model that was stopped while the restored store grew past it refuses by the store ID, instead of missing events', async () => {
    const on = await follow()
    await on.append('till', 'a', putIn('a', 1))
    await on.node.backUp('backup')
    on.start()
    // Events of another category: only the checkpoint moves over them.
    for (let n = 0; n < 5; n++) await on.append('other', `${n}`, putIn(`${n}`, 1))
    expect(await on.place.waitFor(await on.store.head(), 20_000)).toBe(true)
    await on.stop()
    await on.node.restore('backup')
    await assignNewStoreId(on.store)
    for (let n = 0; n < 10; n++) await on.append('till', 'a', putIn('a', 1))

    const { projection, sink } = on.start()
    expect(await on.refusal(projection)).toMatch(/This is another event store/)
    await sink.wishes?.add({ kind: 'rebuild', eventId: '', by: 'nils', at: new Date(), coresMax: 2 })
    await until('it is built again', async () => (await on.amounts()).a === 11)
  })

  test('a projection that keeps running during the restore refuses once it is connected again', async () => {
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

test('after a restore of Postgres no event is counted twice by a surviving and a new writer with equal epochs', async () => {
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

  // The next claim gets the epoch of the surviving writer.
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

test('a restored lease is free, and an earlier holder of its epoch does not block another process', async () => {
  const { url, remove } = await testDatabase()
  const pool = openPool(url, 5, logger)
  onTestFinished(async () => {
    await pool.end()
    await remove()
  })
  const survivor = await takeLease(pool, 'tills', 'survivor', logger)
  // As after a restore: a holder with the same epoch that no longer runs.
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
