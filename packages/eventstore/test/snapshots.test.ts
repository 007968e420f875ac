// Snapshots of long streams: the state is always the fold of all events, also with missing, old or damaged snapshots.
import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EventStore, StoreUnavailable } from '../src/client/client.ts'
import { createCommandHandler } from '../src/commands/handle-command.ts'
import { readKnown } from '../src/commands/read-known.ts'
import { connectTestStore, logger, runPrefix } from './support.ts'
import { type Till, type TillCommand, tillStream } from './till.ts'

const category = `${runPrefix}till`
const everyEvents = 10
let store: EventStore
let close: () => Promise<void>

beforeAll(async () => {
  ;({ store, close } = await connectTestStore())
})
afterAll(() => close())

/** Ballast bytes give a snapshot any size. */
const typeOf = (version = 1, ballastBytes = 0) => {
  const ballast = ballastBytes === 0 ? undefined : randomBytes(ballastBytes).toString('base64')
  return {
    ...tillStream(category),
    snapshot: {
      version,
      everyEvents,
      encode: (state: Till) => ({ state, ballast }),
      decode: ({ state }: { readonly state: Till }) => state,
    },
  }
}
const streamOf = (id: string) => `${category}-${id}`
const snapshotsOf = (id: string) => store.readStreamBack(`snapshot_${streamOf(id)}`, 'end', 100)

/** A replica, and the revisions of the events it has read. */
const replica = (stream = typeOf(), over: Partial<EventStore> = {}) => {
  const reads: number[] = []
  const readStream: EventStore['readStream'] = async (name, from, maxCount) => {
    const events = await store.readStream(name, from, maxCount)
    reads.push(...events.map(({ revision }) => Number(revision)))
    return events
  }
  const handler = createCommandHandler({ store: { ...store, readStream, ...over }, stream, logger })
  const send = (id: string, command: TillCommand, commandId: string = randomUUID()) =>
    handler.handle({ id, command, commandId, requestHash: 'the same', actor: 'tester' })
  const putIn = async (id: string, times: number) => {
    for (let n = 0; n < times; n++) await send(id, { type: 'PutIn', amount: 1 })
  }
  return { send, putIn, reads }
}

const written = (id: string, sets: number) =>
  expect
    .poll(async () => (await snapshotsOf(id)).filter(({ metadata }) => metadata.parts !== undefined).length)
    .toBe(sets)

/** Checks the state on a cold replica, with a decision that depends on it, and returns the revisions that it read. */
const expectState = async (id: string, amount: number, stream = typeOf()) => {
  const { send, reads } = replica(stream)
  await expect(send(id, { type: 'TakeOut', amount: amount + 1 })).rejects.toMatchObject({ code: 'not_enough' })
  expect((await readKnown(store, stream, id)).state).toEqual({ amount, closed: false })
  return reads
}

test('a cold replica reads the newest snapshot of a stream and only later events', async () => {
  const id = randomUUID()
  await replica().putIn(id, 2 * everyEvents + 3)
  await written(id, 2)
  const reads = await expectState(id, 23)
  expect(Math.min(...reads)).toBe(19)
})

test('a snapshot is written at every interval of events, and the store keeps two', async () => {
  const id = randomUUID()
  const { putIn } = replica()
  for (let snapshots = 1; snapshots <= 4; snapshots++) {
    await putIn(id, everyEvents)
    await expect.poll(async () => (await snapshotsOf(id))[0]?.revision).toBe(BigInt(2 * snapshots - 1))
  }
  expect((await snapshotsOf(id)).map(({ metadata: { part } }) => part)).toEqual([1, 0, 1, 0])
  const [metadata] = await store.readStreamBack(`$$snapshot_${streamOf(id)}`, 'end', 1)
  expect(metadata?.data).toEqual({ $maxCount: 4 })
})

test('a repeat of a command older than the snapshot gets the first answer', async () => {
  const id = randomUUID()
  const { send, putIn } = replica()
  const commandId = randomUUID()
  const { position: _, ...answer } = await send(id, { type: 'PutIn', amount: 1 }, commandId)
  await putIn(id, everyEvents)
  await written(id, 1)
  const repeated = await replica().send(id, { type: 'PutIn', amount: 1 }, commandId)
  expect(repeated).toMatchObject({ ...answer, appended: false })
})

test('a repeat gets the first answer when the commands of the snapshot cannot be read', async () => {
  const id = randomUUID()
  const { send, putIn } = replica()
  const commandId = randomUUID()
  await send(id, { type: 'PutIn', amount: 1 }, commandId)
  await putIn(id, everyEvents)
  await written(id, 1)
  const readStreamBack: EventStore['readStreamBack'] = async (name, from, maxCount) => {
    const events = await store.readStreamBack(name, from, maxCount)
    return name.startsWith('snapshot_') ? events.filter(({ metadata }) => metadata.part !== 0) : events
  }
  const repeated = await replica(typeOf(), { readStreamBack }).send(id, { type: 'PutIn', amount: 1 }, commandId)
  expect(repeated).toMatchObject({ revision: 0n, created: true, appended: false })
})

describe('the state is the same', () => {
  const withSnapshot = async (stream = typeOf()) => {
    const id = randomUUID()
    await replica(stream).putIn(id, everyEvents + 2)
    await written(id, 1)
    return id
  }
  const append = (id: string, data: object, metadata: object) =>
    store.append(
      `snapshot_${streamOf(id)}`,
      [{ id: randomUUID(), type: 'Snapshot', data, metadata: { ...metadata } }],
      'any',
    )

  test('from a snapshot of another version, which is not read', async () => {
    const id = await withSnapshot(typeOf(1))
    expect(Math.min(...(await expectState(id, 12, typeOf(2))))).toBe(0)
    await replica(typeOf(2)).putIn(id, 1)
    await written(id, 2)
    expect(Math.min(...(await expectState(id, 13, typeOf(2))))).toBe(12)
    expect(Math.min(...(await expectState(id, 13, typeOf(1))))).toBe(9)
  })

  test('from a process that died between an append and its snapshot', async () => {
    const id = randomUUID()
    const append: EventStore['append'] = (name, ...rest) =>
      name.startsWith('snapshot_')
        ? Promise.reject(new StoreUnavailable(new Error('The process is dead.')))
        : store.append(name, ...rest)
    await replica(typeOf(), { append }).putIn(id, everyEvents + 2)
    expect(await snapshotsOf(id)).toEqual([])
    expect(Math.min(...(await expectState(id, 12)))).toBe(0)
    await replica().putIn(id, 1)
    await written(id, 1)
    expect(Math.min(...(await expectState(id, 13)))).toBe(12)
  })

  test('from two replicas that write their snapshots in the wrong order', async () => {
    const id = randomUUID()
    const held = Promise.withResolvers<void>()
    const append: EventStore['append'] = async (name, ...rest) => {
      if (name.startsWith('snapshot_')) await held.promise
      return store.append(name, ...rest)
    }
    await replica(typeOf(), { append }).putIn(id, everyEvents + 2)
    await replica().putIn(id, everyEvents)
    await written(id, 2)
    held.resolve()
    await expect.poll(async () => (await snapshotsOf(id))[0]?.revision).toBe(5n)
    expect(Math.min(...(await expectState(id, 22)))).toBe(9)
  })

  test('from a snapshot in parts', async () => {
    const id = await withSnapshot(typeOf(1, 2_000_000))
    expect((await snapshotsOf(id)).map(({ metadata: { part, parts } }) => [part, parts])).toEqual([
      [3, 4],
      [2, undefined],
      [1, undefined],
      [0, undefined],
    ])
    const [metadata] = await store.readStreamBack(`$$snapshot_${streamOf(id)}`, 'end', 1)
    expect(metadata?.data).toEqual({ $maxCount: 8 })
    expect(Math.min(...(await expectState(id, 12)))).toBe(9)
  })

  test('when the newest set of parts is incomplete, from the one before it', async () => {
    const id = await withSnapshot()
    await append(id, Buffer.from('rest'), { version: 1, set: 'another', part: 1, parts: 2 })
    expect(Math.min(...(await expectState(id, 12)))).toBe(9)
  })

  test('when the snapshot is damaged', async () => {
    const id = await withSnapshot()
    await append(id, Buffer.from('no gzip'), { version: 1, set: 'damaged', part: 0, parts: 1 })
    expect(Math.min(...(await expectState(id, 12)))).toBe(0)
  })

  test('when only the snapshot was deleted', async () => {
    const id = await withSnapshot()
    await store.tombstone(`snapshot_${streamOf(id)}`)
    await replica().putIn(id, everyEvents)
    expect(Math.min(...(await expectState(id, 22)))).toBe(0)
  })
})

test('a deleted or truncated stream is not read from its snapshot', async () => {
  const [deleted, cut, missing] = [randomUUID(), randomUUID(), randomUUID()]
  for (const id of [deleted, cut]) {
    await replica().putIn(id, everyEvents)
    await written(id, 1)
  }
  await store.tombstone(streamOf(deleted))
  await expect(replica().putIn(deleted, 1)).rejects.toMatchObject({ code: 'stream_deleted' })
  await store.append(
    `$$${streamOf(cut)}`,
    [{ id: randomUUID(), type: '$metadata', data: { $tb: 10 }, metadata: {} }],
    'any',
  )
  await expect(replica().putIn(cut, 1)).rejects.toMatchObject({ code: 'stream_truncated' })
  const [snapshot] = await snapshotsOf(cut)
  if (!snapshot) throw new Error('There is no snapshot.')
  const { type, data, metadata } = snapshot
  await store.append(
    `snapshot_${streamOf(missing)}`,
    [{ id: randomUUID(), type, data: data as object, metadata }],
    'any',
  )
  await replica().putIn(missing, 1)
  expect((await readKnown(store, typeOf(), missing)).state).toEqual({ amount: 1, closed: false })
})

test('no category begins with the prefix of snapshot streams', () => {
  expect(() => tillStream('snapshot_till')).toThrow('No category begins with snapshot_.')
})

test('a snapshot folded from events that this release does not know is refused with unknown_event_type', async () => {
  const id = randomUUID()
  const { events, ...type } = typeOf()
  const newer = {
    ...type,
    events: { ...events, upcasts: { MoneyPutIn: { to: 2, from: { 1: (data: object) => data } } } },
  }
  await replica(newer).putIn(id, everyEvents)
  await written(id, 1)
  await expect(replica().putIn(id, 1)).rejects.toMatchObject({ code: 'unknown_event_type' })
})
