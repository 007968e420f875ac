// Deleted streams, which can be recreated, and tombstoned ones, which cannot (after EventStoreDB's tests soft_delete and DeletingStream).
import {
  ANY,
  type AppendExpectedRevision,
  type ExpectedRevision,
  jsonEvent,
  NO_STREAM,
  STREAM_EXISTS,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { added, classic, collect, identifier, many, newStream, rawDelete, useStore } from './helpers.ts'

const used = useStore()

const deleteRequest = (stream: string): Uint8Array => {
  const options = new streamsPb.DeleteReq.Options()
  options.setStreamIdentifier(identifier(stream))
  options.setStreamExists(new shared.Empty())
  const request = new streamsPb.DeleteReq()
  request.setOptions(options)
  return request.serializeBinary()
}

const idsOf = async (stream: string, options = {}) =>
  (await collect(used.client.readStream(stream, options))).map(({ event }) => event?.id)
const revisionsOf = async (stream: string) =>
  (await collect(used.client.readStream(stream))).map(({ event }) => Number(event?.revision))
const metadataOf = (stream: string) => used.client.getStreamMetadata(stream)
const twoEvents = async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(2), { expectedRevision: NO_STREAM })
  return stream
}
const deleted = async () => {
  const stream = await twoEvents()
  await used.client.deleteStream(stream)
  return stream
}
const tombstoned = async () => {
  const stream = await twoEvents()
  await used.client.tombstoneStream(stream)
  return stream
}

describe('delete', () => {
  test('hides the stream, and $all still shows its events', async () => {
    const stream = await twoEvents()
    const { position } = await used.client.deleteStream(stream, { expectedRevision: 1n })
    await expect(idsOf(stream)).rejects.toBeInstanceOf(StreamNotFoundError)
    const all = await collect(used.client.readAll())
    expect(all.filter(({ event }) => event?.streamId === stream)).toHaveLength(2)
    expect(all.at(-1)?.event).toMatchObject({ streamId: `$$${stream}`, type: '$metadata', position })
    expect(await metadataOf(stream)).toMatchObject({ metadata: { truncateBefore: 2 ** 63 } })
  })

  test.each([
    ['any', ANY],
    ['the revision that is there', 1n],
  ] as [string, ExpectedRevision][])('succeeds when it expects %s', async (_, expectedRevision) => {
    const stream = await twoEvents()
    await used.client.deleteStream(stream, { expectedRevision })
    await expect(idsOf(stream)).rejects.toBeInstanceOf(StreamNotFoundError)
  })

  test.each([
    ['no stream', NO_STREAM, { expectedVersion: -1n, actualVersion: 1n }],
    ['an earlier revision', 0n, { expectedVersion: 0n, actualVersion: 1n }],
    ['a later revision', 5n, { expectedVersion: 5n, actualVersion: 1n }],
  ] as [string, ExpectedRevision, object][])('is refused when it expects %s', async (_, expectedRevision, refusal) => {
    const stream = await twoEvents()
    for (const act of ['deleteStream', 'tombstoneStream'] as const) {
      const error: unknown = await used.client[act](stream, { expectedRevision }).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(WrongExpectedVersionError)
      expect(error).toMatchObject({ streamName: stream, ...refusal })
    }
    expect(await revisionsOf(stream)).toEqual([0, 1])
  })

  test('is refused for a missing stream, and possible for one with only metadata', async () => {
    const stream = newStream()
    await expect(used.client.deleteStream(stream, { expectedRevision: ANY })).rejects.toMatchObject({
      type: 'wrong-expected-version',
    })
    await used.client.setStreamMetadata(stream, { own: 1 })
    await used.client.deleteStream(stream, { expectedRevision: ANY })
    expect(await metadataOf(stream)).toMatchObject({ metadata: { truncateBefore: 2 ** 63 } })
  })

  // Client 6.2.1 has no option for it.
  test('succeeds once when it expects that the stream exists', async () => {
    const stream = await twoEvents()
    expect((await rawDelete(used.raw, 'Delete', deleteRequest(stream))).status.code).toBe(status.OK)
    for (const method of ['Delete', 'Tombstone'] as const) {
      const again = await rawDelete(used.raw, method, deleteRequest(stream))
      expect(again.status.code).toBe(status.FAILED_PRECONDITION)
      expect(again.status.metadata.getMap()).toMatchObject({ exception: 'stream-deleted', 'stream-name': stream })
    }
    const none = newStream()
    const never = await rawDelete(used.raw, 'Delete', deleteRequest(none))
    expect(never.status.details).toBe(
      `Delete failed due to WrongExpectedVersion. Stream: ${none}, Expected version: -4, Actual version: -1`,
    )
    expect(never.status.metadata.getMap()).toMatchObject({
      exception: 'wrong-expected-version',
      'expected-version': '-4',
      'actual-version': '-1',
    })
  })

  test('is refused for metadata streams and for $all', async () => {
    const stream = await twoEvents()
    await used.client.setStreamMetadata(stream, { own: 1 })
    await expect(used.client.deleteStream(`$$${stream}`)).rejects.toThrow('Metadata is deleted with its stream only')
    await expect(used.client.tombstoneStream('$all')).rejects.toMatchObject({ type: 'access-denied' })
  })
})

describe('a recreated stream', () => {
  test.each([
    ['any', ANY],
    ['no stream', NO_STREAM],
    ['its last revision', 1n],
  ] as [string, AppendExpectedRevision][])(
    'continues its revisions when the append expects %s',
    async (_, expectedRevision) => {
      const stream = await deleted()
      const written = await used.client.appendToStream(stream, many(3), { expectedRevision })
      expect(written.nextExpectedRevision).toBe(4n)
      expect(await revisionsOf(stream)).toEqual([2, 3, 4])
      const last = (await collect(used.client.readStream(stream, { direction: 'backwards', fromRevision: 'end' })))[0]
      expect(written.position).toEqual(last?.event?.position)
      expect(await metadataOf(stream)).toMatchObject({ metadata: { truncateBefore: 2 } })
      // One event for the deletion, one for the recreation.
      const records = await collect(used.client.readStream(`$$${stream}`))
      expect(records.map(({ event }) => event?.revision)).toEqual([1n])
    },
  )

  test.each([
    ['that it exists', STREAM_EXISTS, 'stream-deleted'],
    ['an earlier revision', 0n, 'wrong-expected-version'],
    ['a later revision', 2n, 'wrong-expected-version'],
  ] as [string, AppendExpectedRevision, string][])(
    'refuses an append that expects %s',
    async (_, expectedRevision, type) => {
      const stream = await deleted()
      for (const options of [{}, classic])
        await expect(
          used.client.appendToStream(stream, added(), { expectedRevision, ...options }),
        ).rejects.toMatchObject({ type })
      await expect(idsOf(stream)).rejects.toBeInstanceOf(StreamNotFoundError)
    },
  )

  test('accepts "no stream" only for its first write', async () => {
    const stream = await deleted()
    await used.client.appendToStream(stream, many(3), { expectedRevision: NO_STREAM })
    await expect(used.client.appendToStream(stream, added(), { expectedRevision: NO_STREAM })).rejects.toBeInstanceOf(
      WrongExpectedVersionError,
    )
  })

  test('is also created by a metadata write, which keeps other keys', async () => {
    const stream = await deleted()
    await used.client.setStreamMetadata(stream, { maxCount: 10, own: 'kept' })
    expect(await metadataOf(stream)).toMatchObject({ metadata: { truncateBefore: 2, maxCount: 10, own: 'kept' } })
    expect(await revisionsOf(stream)).toEqual([])
    await used.client.appendToStream(stream, added())
    expect(await revisionsOf(stream)).toEqual([2])
  })

  test('continues in an existing subscription', async () => {
    const stream = await twoEvents()
    const subscription = used.client.subscribeToStream(stream)
    const revisions: number[] = []
    const seen = Promise.withResolvers<void>()
    subscription.on('data', ({ event }) => {
      revisions.push(Number(event?.revision))
      if (revisions.length === 3) seen.resolve()
    })
    await used.client.deleteStream(stream)
    await used.client.appendToStream(stream, added())
    await seen.promise
    expect(revisions).toEqual([0, 1, 2])
    await subscription.unsubscribe()
  })
})

describe('tombstone', () => {
  test('a tombstoned stream cannot be read, appended to or deleted, and neither can its metadata', async () => {
    const stream = await tombstoned()
    const { client } = used
    const refused = [
      () => idsOf(stream),
      () => idsOf(stream, { direction: 'backwards', fromRevision: 'end' }),
      () => idsOf(`$$${stream}`),
      () => client.appendToStream(stream, added()),
      () => client.appendToStream(stream, added(), { expectedRevision: 5n }),
      () => client.appendToStream(stream, added(), { expectedRevision: STREAM_EXISTS, ...classic }),
      () => client.setStreamMetadata(stream, { own: 1 }),
      () => client.deleteStream(stream),
      () => client.tombstoneStream(stream),
    ]
    for (const act of refused) await expect(act()).rejects.toBeInstanceOf(StreamDeletedError)
  })

  test('a missing stream can be tombstoned', async () => {
    const stream = newStream()
    await used.client.tombstoneStream(stream, { expectedRevision: NO_STREAM })
    await expect(used.client.appendToStream(stream, added())).rejects.toBeInstanceOf(StreamDeletedError)
  })

  test('a tombstone is in $all, with the largest revision', async () => {
    const stream = await tombstoned()
    const records = (await collect(used.client.readAll())).filter(({ event }) => event?.streamId === stream)
    expect(records.map(({ event }) => [event?.type, event?.revision])).toEqual([
      ['Added', 0n],
      ['Added', 1n],
      ['$streamDeleted', 2n ** 63n - 1n],
    ])
  })

  test.each(['not deleted', 'deleted before'])(
    'a subscription receives the tombstone and ends, for a stream %s',
    async (before) => {
      const stream = await twoEvents()
      const tombstone = async () => {
        if (before === 'deleted before') await used.client.deleteStream(stream)
        await used.client.tombstoneStream(stream)
      }
      const subscription = used.client.subscribeToStream(stream)
      const types: (string | undefined)[] = []
      const ended = new Promise<Error>((resolve) => subscription.on('error', resolve))
      subscription.on('data', ({ event }) => {
        types.push(event?.type)
        if (types.length === 2) void tombstone()
      })
      expect(await ended).toBeInstanceOf(StreamDeletedError)
      expect(types).toEqual(['Added', 'Added', '$streamDeleted'])
      const late = used.client.subscribeToStream(stream)
      late.on('data', () => undefined)
      expect(await new Promise((resolve) => late.on('error', resolve))).toBeInstanceOf(StreamDeletedError)
    },
  )
})

test('links to deleted or truncated events are returned without their target', async () => {
  const links = newStream('links')
  const [kept, gone] = [await twoEvents(), await deleted()]
  const truncated = await twoEvents()
  await used.client.setStreamMetadata(truncated, { truncateBefore: 1 })
  const targets = [`0@${kept}`, `0@${gone}`, `0@${truncated}`, `1@${truncated}`, `7@${kept}`, 'nowhere']
  for (const data of targets) {
    const link = {
      ...jsonEvent({ type: '$>', data: {} }),
      data: Buffer.from(data),
      contentType: 'application/octet-stream',
    }
    await used.client.appendToStream(links, link as never)
  }
  const read = await collect(used.client.readStream(links, { resolveLinkTos: true }))
  expect(read.map(({ event }) => event?.streamId)).toEqual([
    kept,
    undefined,
    undefined,
    truncated,
    undefined,
    undefined,
  ])
  expect(read.every(({ link }) => link?.streamId === links)).toBe(true)
})
