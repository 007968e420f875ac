// Reading streams and $all, with counts, links and filters.
import { BACKWARDS, binaryEvent, END, FORWARDS, jsonEvent, START, StreamNotFoundError } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { status } from '@grpc/grpc-js'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  added,
  collect,
  many,
  newStream,
  ofAll,
  ofStream,
  type ReadOptions,
  rawRead,
  readRequest,
  readResponses,
  useStore,
} from './helpers.ts'

const used = useStore()
const { Options } = streamsPb.ReadReq

const numbers = async (stream: string, options: Parameters<typeof used.client.readStream>[1]): Promise<number[]> =>
  (await collect(used.client.readStream(stream, options))).map(({ event }) => Number(event?.revision))

describe('a stream', () => {
  const stream = newStream()
  beforeAll(async () => {
    await used.client.appendToStream(stream, many(600))
  })

  test('is read forwards and backwards, from a revision inclusive, with a count', async () => {
    expect(await numbers(stream, { fromRevision: 2n, maxCount: 3 })).toEqual([2, 3, 4])
    expect(await numbers(stream, { fromRevision: 2n, direction: BACKWARDS })).toEqual([2, 1, 0])
    expect(await numbers(stream, { fromRevision: END, direction: BACKWARDS, maxCount: 2 })).toEqual([599, 598])
    expect(await numbers(stream, { fromRevision: START, direction: BACKWARDS })).toEqual([0])
    expect(await numbers(stream, { maxCount: 1 })).toEqual([0])
    expect(await numbers(stream, { maxCount: 0 })).toEqual([])
  })

  test('is read over several pages in both directions', async () => {
    const all = Array.from({ length: 600 }, (_, index) => index)
    expect(await numbers(stream, {})).toEqual(all)
    expect(await numbers(stream, { fromRevision: END, direction: BACKWARDS })).toEqual(all.reverse())
  })

  test('has no events forwards and all events backwards from beyond its end', async () => {
    expect(await numbers(stream, { fromRevision: 9_999n })).toEqual([])
    expect(await numbers(stream, { fromRevision: END, direction: FORWARDS })).toEqual([])
    expect(await numbers(stream, { fromRevision: 2n ** 62n, direction: BACKWARDS, maxCount: 1 })).toEqual([599])
  })

  test('reports first and last positions only when compatibility requires them', async () => {
    const read = async (compatibility: number, from?: string) => {
      const request = readRequest((options) => {
        const source = ofStream(options, stream)
        if (from) source.setRevision(from)
        options.setCount('1')
        const control = new Options.ControlOption()
        control.setCompatibility(compatibility)
        options.setControlOption(control)
      })
      return readResponses(await rawRead(used.raw, request)).map((response) => response.getContentCase())
    }
    const { EVENT, FIRST_STREAM_POSITION, LAST_STREAM_POSITION } = streamsPb.ReadResp.ContentCase
    expect(await read(0)).toEqual([EVENT])
    expect(await read(1)).toEqual([EVENT, LAST_STREAM_POSITION])
    expect(await read(1, '5000')).toEqual([FIRST_STREAM_POSITION, LAST_STREAM_POSITION])
  })
})

test('that is missing is reported as a message, then OK', async () => {
  const stream = newStream()
  const ended = await rawRead(
    used.raw,
    readRequest((options) => {
      ofStream(options, stream)
      options.setCount('1')
    }),
  )
  expect(ended.status.code).toBe(status.OK)
  expect(readResponses(ended).map((response) => response.hasStreamNotFound())).toEqual([true])
  await expect(collect(used.client.readStream(stream))).rejects.toThrow(StreamNotFoundError)
})

test('returns events as appended: JSON, bytes, metadata, and time', async () => {
  const stream = newStream()
  const bytes = Uint8Array.from([0, 1, 254, 255])
  const before = Date.now()
  await used.client.appendToStream(stream, [
    jsonEvent({ type: 'Json', data: { text: 'häßlich ☃' }, metadata: { $causationId: 'x' } }),
    binaryEvent({ type: 'Binary', data: bytes, metadata: bytes }),
    jsonEvent({ type: 'Empty', data: {} }),
  ])
  const [json, binary, empty] = (await collect(used.client.readStream(stream))).map(({ event }) => event)
  expect(json).toMatchObject({ isJson: true, data: { text: 'häßlich ☃' }, metadata: { $causationId: 'x' } })
  expect(binary).toMatchObject({ isJson: false, streamId: stream, type: 'Binary' })
  expect(Buffer.from(binary?.data as Uint8Array)).toEqual(Buffer.from(bytes))
  expect(empty?.metadata).toBeUndefined()
  const created = Number(json?.created)
  expect(created >= before && created <= Date.now()).toBe(true)
})

test('returns messages of every size complete and in order, with many in one write', async () => {
  const stream = newStream()
  const sizes = Array.from({ length: 300 }, (_, at) => (at % 50 === 7 ? 300_000 : at % 7 === 0 ? 66_000 : at))
  for (const [at, size] of sizes.entries())
    await used.client.appendToStream(stream, binaryEvent({ type: 'Sized', data: Buffer.alloc(size, at) }))
  const read = (await collect(used.client.readStream(stream))).map(({ event }) =>
    Buffer.from(event?.data as Uint8Array),
  )
  expect(read.map(({ length }) => length)).toEqual(sizes)
  expect(read.every((data, at) => data.every((byte) => byte === at % 256))).toBe(true)
})

test('returns IDs as text or structured, as requested', async () => {
  const [stream, id] = [newStream(), '12345678-9abc-def0-fedc-ba9876543210']
  await used.client.appendToStream(stream, added(0, id))
  const ended = await rawRead(
    used.raw,
    readRequest((options) => {
      ofStream(options, stream)
      options.setCount('1')
      const ids = new Options.UUIDOption()
      ids.setStructured(new shared.Empty())
      options.setUuidOption(ids)
    }),
  )
  const halves = readResponses(ended)[0]?.getEvent()?.getEvent()?.getId()?.getStructured()?.toObject()
  expect(halves).toEqual({ mostSignificantBits: '1311768467463790320', leastSignificantBits: '-81985529216486896' })
})

test('resolves links on request, and returns a link without a target alone', async () => {
  const [target, links] = [newStream(), newStream()]
  await used.client.appendToStream(target, many(2))
  const link = (text: string) => binaryEvent({ type: '$>', data: Buffer.from(text) })
  await used.client.appendToStream(links, [link(`1@${target}`), link(`9@${target}`), link('0@nowhere'), link('odd')])
  const resolved = await collect(used.client.readStream(links, { resolveLinkTos: true }))
  expect(resolved.map(({ event }) => event?.streamId)).toEqual([target, undefined, undefined, undefined])
  expect(resolved.map((each) => each.link?.revision)).toEqual([0n, 1n, 2n, 3n])
  expect(resolved[0]?.event?.revision).toBe(1n)
  expect(resolved.map((each) => each.commitPosition)).toEqual(resolved.map((each) => each.link?.position?.commit))
  const plain = await collect(used.client.readStream(links, { maxCount: 1 }))
  expect(plain[0]).toMatchObject({ event: { type: '$>', streamId: links } })
  expect(plain[0]?.link).toBeUndefined()
})

describe('$all', () => {
  test('is read forwards with and backwards without the start position, and commit equals prepare', async () => {
    const stream = newStream()
    const { position } = await used.client.appendToStream(stream, many(3))
    if (!position) throw new Error('a position')
    const forwards = await collect(used.client.readAll({ fromPosition: position }))
    expect(forwards.map(({ event }) => event?.position)).toEqual([position])
    const backwards = await collect(used.client.readAll({ fromPosition: position, direction: BACKWARDS, maxCount: 2 }))
    expect(backwards.map(({ event }) => event?.revision)).toEqual([1n, 0n])
    const last = await collect(used.client.readAll({ fromPosition: END, direction: BACKWARDS, maxCount: 1 }))
    expect(last[0]?.event?.position).toEqual(position)
    expect(last[0]?.commitPosition).toBe(position.commit)
    expect(await collect(used.client.readAll({ fromPosition: END }))).toEqual([])
    expect(await collect(used.client.readAll({ fromPosition: START, direction: BACKWARDS }))).toEqual([])
  })

  test('has small, strictly increasing positions, and is read over pages', async () => {
    await used.client.appendToStream(newStream(), many(700))
    const positions = (await collect(used.client.readAll())).map(({ event }) => event?.position?.commit ?? 0n)
    expect(positions[0]).toBe(1n)
    expect(positions.every((position, index) => index === 0 || position > (positions[index - 1] ?? 0n))).toBe(true)
    const backwards = await collect(used.client.readAll({ direction: BACKWARDS, fromPosition: END }))
    expect(backwards.map(({ event }) => event?.position?.commit)).toEqual(positions.reverse())
  })

  const filtered = async (
    set: (
      filter: streamsPb.ReadReq.Options.FilterOptions,
      expression: streamsPb.ReadReq.Options.FilterOptions.Expression,
    ) => void,
    more: (options: ReadOptions) => void = () => {},
  ) => {
    const request = readRequest((options) => {
      ofAll(options)
      options.setCount('1000')
      const filter = new Options.FilterOptions()
      set(filter, new Options.FilterOptions.Expression())
      options.setFilter(filter)
      more(options)
    })
    const ended = await rawRead(used.raw, request)
    const events = readResponses(ended).map((response) => response.getEvent()?.getEvent())
    return {
      code: ended.status.code,
      streams: events.map((event) => Buffer.from(event?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()),
      types: events.map((event) => event?.getMetadataMap().get('type')),
    }
  }

  test('is filtered by prefix and by regular expression, on stream name and on event type, in both directions', async () => {
    const [apple, pear] = [newStream('apple'), newStream('pear')]
    for (const [stream, type] of [
      [apple, 'Picked'],
      [pear, 'Picked'],
      [apple, 'Eaten'],
    ] as const) {
      await used.client.appendToStream(stream, jsonEvent({ type, data: {} }))
    }
    const byName = await filtered((filter, expression) => {
      expression.setPrefixList(['apple-', 'nothing'])
      filter.setStreamIdentifier(expression)
    })
    expect(byName.streams).toEqual([apple, apple])
    const byNameRegex = await filtered((filter, expression) => {
      expression.setRegex('^(apple|pear)-')
      filter.setStreamIdentifier(expression)
    })
    expect(byNameRegex.streams).toEqual([apple, pear, apple])
    const byType = await filtered((filter, expression) => {
      expression.setPrefixList(['Eat', 'Pick'])
      filter.setEventType(expression)
    })
    expect(byType.types).toEqual(['Picked', 'Picked', 'Eaten'])
    const byTypeRegex = await filtered(
      (filter, expression) => {
        expression.setRegex('^(?!Add)[A-Z].*ed$|Eaten')
        filter.setEventType(expression)
        filter.setMax(1)
      },
      (options) => {
        options.setReadDirection(1)
        options.setCount('1')
        options.getAll()?.setEnd(new shared.Empty())
      },
    )
    expect(byTypeRegex.types).toEqual(['Eaten'])
    const insensitive = await filtered((filter, expression) => {
      expression.setRegex('(?i)^PEAR-')
      filter.setStreamIdentifier(expression)
    })
    expect(insensitive.streams).toEqual([pear])
  })

  test('refuses an invalid regular expression, and serves one that would take for ever by backtracking', async () => {
    const wrong = await filtered((filter, expression) => {
      expression.setRegex('(')
      filter.setStreamIdentifier(expression)
    })
    expect(wrong.code).toBe(status.INVALID_ARGUMENT)
    await used.client.appendToStream(`${'a'.repeat(200)}!`, added())
    const endless = await filtered((filter, expression) => {
      expression.setRegex('(a|a)*b')
      filter.setStreamIdentifier(expression)
    })
    expect(endless.code).toBe(status.OK)
  })
})
