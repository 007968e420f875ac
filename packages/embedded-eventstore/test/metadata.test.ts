// Events hidden by a stream's metadata are not readable from the next read on (after EventStoreDB's tests Metastreams and MaxAgeMaxCount).
import { FORWARDS, jsonEvent, NO_STREAM } from '@eventstore/db-client'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { describe, expect, test } from 'vitest'
import { added, collect, many, newStream, ofStream, rawRead, readRequest, readResponses, useStore } from './helpers.ts'

const used = useStore()

const fiveEvents = async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(5), { expectedRevision: NO_STREAM })
  return stream
}
const read = async (stream: string, options = {}) =>
  (await collect(used.client.readStream(stream, options))).map(({ event }) => Number(event?.revision))
const backwards = { direction: 'backwards', fromRevision: 'end' }
/** Writes raw metadata, which the client's own method does not allow. */
const writeRaw = (stream: string, data: string, contentType = 'application/json') =>
  used.client.appendToStream(`$$${stream}`, {
    ...jsonEvent({ type: '$metadata', data: {} }),
    data: Buffer.from(data),
    contentType,
  } as never)

test('hidden snapshots are removed from the file at once, and all when their stream is tombstoned', async () => {
  const stream = `snapshot_${newStream()}`
  const kept = async () => {
    const all = await collect(used.client.readAll({ direction: FORWARDS }))
    return all.flatMap(({ event }) => (event?.streamId === stream ? [Number(event.revision)] : []))
  }
  await used.client.setStreamMetadata(stream, { maxCount: 2 })
  for (let n = 0; n < 5; n++) await used.client.appendToStream(stream, added())
  expect(await kept()).toEqual([3, 4])
  expect(await read(stream)).toEqual([3, 4])
  await used.client.tombstoneStream(stream)
  expect((await kept()).filter((revision) => revision < 5)).toEqual([])
})

describe('readers get', () => {
  test.each([
    ['the last two', { maxCount: 2 }, [3, 4]],
    ['all events below the maximum count', { maxCount: 7 }, [0, 1, 2, 3, 4]],
    ['events from a revision on', { truncateBefore: 3 }, [3, 4]],
    ['no events before a future revision', { truncateBefore: 9 }, []],
    ['events within the later of two bounds', { truncateBefore: 2, maxCount: 4 }, [2, 3, 4]],
    ['events within the smaller count', { truncateBefore: 1, maxCount: 2 }, [3, 4]],
    ['events within the maximum age', { maxAge: 3600 }, [0, 1, 2, 3, 4]],
  ])('%s', async (_, metadata, revisions) => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, metadata)
    expect(await read(stream)).toEqual(revisions)
    expect(await read(stream, backwards)).toEqual(revisions.toReversed())
    expect(await read(stream, { fromRevision: 1n, maxCount: 2, direction: FORWARDS })).toEqual(
      revisions.filter((revision) => revision >= 1).slice(0, 2),
    )
    const subscription = used.client.subscribeToStream(stream)
    const seen: number[] = []
    const caughtUp = new Promise<void>((resolve) => subscription.on('caughtUp', resolve))
    subscription.on('data', ({ event }) => seen.push(Number(event?.revision)))
    await caughtUp
    await subscription.unsubscribe()
    expect(seen).toEqual(revisions)
  })

  test('newer events but not those above the maximum age', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { maxAge: 1 })
    await expect.poll(() => read(stream)).toEqual([])
    // Repeated until the read is fast enough to see the new event within its second.
    const appendAndRead = async () => {
      const { nextExpectedRevision } = await used.client.appendToStream(stream, added())
      const revisions = await read(stream)
      expect(Math.min(...revisions)).toBeGreaterThan(4)
      return revisions.at(-1) === Number(nextExpectedRevision)
    }
    await expect.poll(appendAndRead).toBe(true)
  })

  test('events by the current metadata: bounds can move and be removed', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { maxCount: 2 })
    await used.client.appendToStream(stream, added())
    expect(await read(stream)).toEqual([4, 5])
    await used.client.setStreamMetadata(stream, {})
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('hidden events in $all', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { truncateBefore: 5 })
    const all = await collect(used.client.readAll())
    expect(all.filter(({ event }) => event?.streamId === stream)).toHaveLength(5)
  })

  test('only the last event of a metadata stream', async () => {
    const stream = await fiveEvents()
    for (const own of [1, 2, 3]) await used.client.setStreamMetadata(stream, { own })
    expect(await read(`$$${stream}`)).toEqual([2])
    expect(await used.client.getStreamMetadata(stream)).toMatchObject({ metadata: { own: 3 } })
  })

  test('the first and the last revision when they ask for them', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { truncateBefore: 3 })
    const request = (revision: string) =>
      readRequest((options) => {
        ofStream(options, stream).setRevision(revision)
        options.setCount('10')
        const control = new streamsPb.ReadReq.Options.ControlOption()
        control.setCompatibility(1)
        options.setControlOption(control)
      })
    const past = readResponses(await rawRead(used.raw, request('7')))
    expect(past.map((answer) => answer.toObject())).toMatchObject([
      { firstStreamPosition: '3' },
      { lastStreamPosition: '4' },
    ])
    const before = readResponses(await rawRead(used.raw, request('1')))
    expect(
      before.map((answer) => answer.getEvent()?.getEvent()?.getStreamRevision() ?? answer.getLastStreamPosition()),
    ).toEqual(['3', '4', '4'])
  })
})

describe('invalid metadata is ignored:', () => {
  test.each([
    ['nothing', ''],
    ['no JSON', '{"$maxCount": 2'],
    ['another kind of JSON', '[2]'],
    ['null', 'null'],
    ['zero', '{"$maxCount": 0, "$maxAge": 0}'],
    ['negative', '{"$maxCount": -2, "$maxAge": -1, "$tb": -5}'],
    ['text', '{"$maxCount": "2"}'],
    ['a fraction', '{"$maxCount": 1.5}'],
    ['a list', '{"$tb": [3]}'],
    ['an access list that is none', '{"$acl": 7, "$maxCount": 2}'],
  ])('%s', async (_, json) => {
    const stream = await fiveEvents()
    await writeRaw(stream, json)
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4])
  })

  test('bytes without the JSON flag', async () => {
    const stream = await fiveEvents()
    await writeRaw(stream, '{"$maxCount": 2}', 'application/octet-stream')
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4])
  })

  test('a count above the largest number', async () => {
    const stream = await fiveEvents()
    await writeRaw(stream, '{"$maxCount": 99999999999999999999}')
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4])
  })
})
