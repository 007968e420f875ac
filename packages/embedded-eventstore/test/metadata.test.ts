// What a stream's metadata hides is not read any more, from the next read on (§2.7; Metastreams and MaxAgeMaxCount of §4).
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
/** As it is, which the client's own way of setting it does not allow. */
const writeRaw = (stream: string, data: string, contentType = 'application/json') =>
  used.client.appendToStream(`$$${stream}`, {
    ...jsonEvent({ type: '$metadata', data: {} }),
    data: Buffer.from(data),
    contentType,
  } as never)

test('the space of snapshots that are hidden is given back at once, and of all when their stream is deleted', async () => {
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

describe('what is still read', () => {
  test.each([
    ['the last two', { maxCount: 2 }, [3, 4]],
    ['more than there are', { maxCount: 7 }, [0, 1, 2, 3, 4]],
    ['from a revision', { truncateBefore: 3 }, [3, 4]],
    ['from one that is not there yet', { truncateBefore: 9 }, []],
    ['the later of two bounds', { truncateBefore: 2, maxCount: 4 }, [2, 3, 4]],
    ['the earlier is no bound', { truncateBefore: 1, maxCount: 2 }, [3, 4]],
    ['what is young enough', { maxAge: 3600 }, [0, 1, 2, 3, 4]],
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

  test('what has become too old is hidden, what comes later is not', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { maxAge: 1 })
    await expect.poll(() => read(stream)).toEqual([])
    // What is read within its second is there, and none of before: as often as it takes to be so fast.
    const appendAndRead = async () => {
      const { nextExpectedRevision } = await used.client.appendToStream(stream, added())
      const revisions = await read(stream)
      expect(Math.min(...revisions)).toBeGreaterThan(4)
      return revisions.at(-1) === Number(nextExpectedRevision)
    }
    await expect.poll(appendAndRead).toBe(true)
  })

  test('it counts as it is now: bounds move, and can be taken away', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { maxCount: 2 })
    await used.client.appendToStream(stream, added())
    expect(await read(stream)).toEqual([4, 5])
    await used.client.setStreamMetadata(stream, {})
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('$all shows it all the same', async () => {
    const stream = await fiveEvents()
    await used.client.setStreamMetadata(stream, { truncateBefore: 5 })
    const all = await collect(used.client.readAll())
    expect(all.filter(({ event }) => event?.streamId === stream)).toHaveLength(5)
  })

  test('of metadata itself the last event counts', async () => {
    const stream = await fiveEvents()
    for (const own of [1, 2, 3]) await used.client.setStreamMetadata(stream, { own })
    expect(await read(`$$${stream}`)).toEqual([2])
    expect(await used.client.getStreamMetadata(stream)).toMatchObject({ metadata: { own: 3 } })
  })

  test('a client that asks is told the first and the last revision there are', async () => {
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

describe('what cannot be meant is ignored', () => {
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

  test('bytes that do not say that they are JSON', async () => {
    const stream = await fiveEvents()
    await writeRaw(stream, '{"$maxCount": 2}', 'application/octet-stream')
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4])
  })

  test('a count so large that there is no number for it', async () => {
    const stream = await fiveEvents()
    await writeRaw(stream, '{"$maxCount": 99999999999999999999}')
    expect(await read(stream)).toEqual([0, 1, 2, 3, 4])
  })
})
