// Append, expected revisions and repeats, seen by the published client with both of its append methods.
import { randomUUID } from 'node:crypto'
import {
  ANY,
  binaryEvent,
  MaxAppendSizeExceededError,
  NO_STREAM,
  STREAM_EXISTS,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { added, classic, collect, identifier, many, newStream, nilId, rawAppend, useStore, uuid } from './helpers.ts'

const used = useStore()
const ways = [
  ['batch', {}],
  ['classic', classic],
] as const

const count = async (stream: string): Promise<number> => (await collect(used.client.readStream(stream))).length

describe.each(ways)('%s append', (_, way) => {
  test('replies with the position of the last event, with commit equal to prepare', async () => {
    const stream = newStream()
    const result = await used.client.appendToStream(stream, many(3), way)
    const events = await collect(used.client.readStream(stream))
    expect(result).toMatchObject({ success: true, nextExpectedRevision: 2n })
    expect(result.position).toEqual(events[2]?.event?.position)
    expect(result.position?.commit).toBe(result.position?.prepare)
  })

  test('zero events succeed and write nothing', async () => {
    const stream = newStream()
    await used.client.appendToStream(stream, many(2), way)
    const result = await used.client.appendToStream(stream, [], way)
    expect(result).toEqual({ success: true, nextExpectedRevision: 1n, position: undefined })
    expect(await count(stream)).toBe(2)
  })

  test('zero events are checked against the revision like any append', async () => {
    const stream = newStream()
    await used.client.appendToStream(stream, many(2), way)
    const refused = used.client.appendToStream(stream, [], { ...way, expectedRevision: 0n })
    await expect(refused).rejects.toThrow(WrongExpectedVersionError)
    const missing = used.client.appendToStream(newStream(), [], { ...way, expectedRevision: STREAM_EXISTS })
    await expect(missing).rejects.toThrow(WrongExpectedVersionError)
  })

  test('the size of an append counts data only: 1,000 events with more metadata than data pass, 1,200 do not', async () => {
    const sized = (events: number) =>
      Array.from({ length: events }, () =>
        binaryEvent({ type: 'Added', data: Buffer.alloc(900), metadata: Buffer.alloc(1_000) }),
      )
    const stream = newStream()
    const result = await used.client.appendToStream(stream, sized(1_000), way)
    expect(result.nextExpectedRevision).toBe(999n)
    const refused = used.client.appendToStream(newStream(), sized(1_200), way)
    await expect(refused).rejects.toThrow(MaxAppendSizeExceededError)
    await expect(refused).rejects.toMatchObject({ maxAppendSize: 1024 * 1024 })
  })

  test('stream_exists: refused on a missing stream, satisfied by metadata alone', async () => {
    const stream = newStream()
    const append = () => used.client.appendToStream(stream, added(), { ...way, expectedRevision: STREAM_EXISTS })
    await expect(append()).rejects.toThrow(WrongExpectedVersionError)
    await used.client.appendToStream(`$$${stream}`, added(), way)
    expect(await append()).toMatchObject({ nextExpectedRevision: 0n })
  })

  test('any: the first id known and a later one not is refused', async () => {
    const stream = newStream()
    const [first, second] = many(2)
    if (!first || !second) throw new Error('two events')
    await used.client.appendToStream(stream, first, way)
    const refused = used.client.appendToStream(stream, [first, second], { ...way, expectedRevision: ANY })
    await expect(refused).rejects.toThrow(WrongExpectedVersionError)
  })

  test('an idempotent success reports revision and position of the last matching event', async () => {
    const stream = newStream()
    const events = many(3)
    await used.client.appendToStream(stream, events, way)
    const stored = await collect(used.client.readStream(stream))
    for (const expectedRevision of [ANY, STREAM_EXISTS, NO_STREAM] as const) {
      const result = await used.client.appendToStream(stream, events.slice(0, 2), { ...way, expectedRevision })
      expect(result).toEqual({ success: true, nextExpectedRevision: 1n, position: stored[1]?.event?.position })
    }
  })

  test('a revision ahead of the stream is refused and the actual one reported', async () => {
    const stream = newStream()
    await used.client.appendToStream(stream, many(2), way)
    const refused = used.client.appendToStream(stream, added(), { ...way, expectedRevision: 7n })
    await expect(refused).rejects.toMatchObject({ streamName: stream, expectedVersion: 7n, actualVersion: 1n })
    const missing = newStream()
    const nowhere = used.client.appendToStream(missing, added(), { ...way, expectedRevision: 0n })
    await expect(nowhere).rejects.toMatchObject({ expectedVersion: 0n, actualVersion: 'no_stream' })
    const largest = used.client.appendToStream(stream, added(), { ...way, expectedRevision: 2n ** 64n - 1n })
    await expect(largest).rejects.toMatchObject({ expectedVersion: 2n ** 64n - 1n })
  })

  test('no_stream on a stream that exists is refused', async () => {
    const stream = newStream()
    await used.client.appendToStream(stream, added(), way)
    const refused = used.client.appendToStream(stream, added(), { ...way, expectedRevision: NO_STREAM })
    await expect(refused).rejects.toMatchObject({ expectedVersion: 'no_stream', actualVersion: 0n })
  })

  test('ids are unique neither across streams nor within one', async () => {
    const [one, other, id] = [newStream(), newStream(), randomUUID()]
    await used.client.appendToStream(one, added(1, id), way)
    await used.client.appendToStream(other, added(2, id), way)
    await used.client.appendToStream(one, added(3, id), { ...way, expectedRevision: 0n })
    expect([await count(one), await count(other)]).toEqual([2, 1])
  })

  test('nothing can be appended to $all', async () => {
    await expect(used.client.appendToStream('$all', added(), way)).rejects.toMatchObject({ type: 'access-denied' })
  })
})

// The notation of EventStoreDB's own tests: event id k, expected revision e; em1 is "no stream"; S…E is one append.
const sequences = [
  ['0em1_1e0_2e1_3e2_4e3_5e4_0em1', 'idempotent'],
  ['0em1_1e0_2e1_3e2_4e3_4e4_0any', 'idempotent'],
  ['0em1_1e0_2e1_3e2_4e3_5e4_0any', 'idempotent'],
  ['0em1_1e0_2e1_3e2_4e3_5e4_0e5', 'written'],
  ['0em1_1e0_2e1_3e2_4e3_5e4_0e6', 'refused'],
  ['0em1_1e0_2e1_3e2_4e3_5e4_0e4', 'refused'],
  ['0em1_0e0', 'written'],
  ['0em1_0any', 'idempotent'],
  ['0em1_0em1', 'idempotent'],
  ['0em1_1e0_2e1_1any_1any', 'idempotent'],
  ['S_0em1_1em1_E_S_0em1_E', 'idempotent'],
  ['S_0em1_1em1_E_S_0any_E', 'idempotent'],
  ['S_0em1_1em1_E_S_1e0_E', 'idempotent'],
  ['S_0em1_1em1_E_S_1any_E', 'idempotent'],
  ['S_0em1_1em1_E_S_0em1_1em1_2em1_E', 'refused'],
] as const

type Step = { ids: number[]; expected: bigint | typeof ANY | typeof NO_STREAM }

const steps = (sequence: string): Step[] =>
  [...sequence.matchAll(/S_(.*?)_E|(\d+(?:any|e\w\d*))/g)].map(([, batch, single]) => {
    const parts = (batch ?? single ?? '').split('_').map((part) => /^(\d+)(any|e(m1|\d+))$/.exec(part))
    const at = parts[0]?.[3]
    const expected = at === undefined ? ANY : at === 'm1' ? NO_STREAM : BigInt(at)
    return { ids: parts.map((part) => Number(part?.[1])), expected }
  })

describe.each(ways)('sequences, %s append', (_, way) => {
  test.each(sequences)('%s is %s', async (sequence, outcome) => {
    const stream = newStream()
    const ids = Array.from({ length: 6 }, () => randomUUID())
    const all = steps(sequence)
    const append = ({ ids: numbers, expected }: Step) =>
      used.client.appendToStream(
        stream,
        numbers.map((number) => added(number, ids[number])),
        { ...way, expectedRevision: expected },
      )
    for (const step of all.slice(0, -1)) await append(step)
    const before = await count(stream)
    const last = append(all.at(-1) as Step)
    if (outcome === 'refused') await expect(last).rejects.toThrow(WrongExpectedVersionError)
    else await expect(last).resolves.toMatchObject({ success: true })
    expect(await count(stream)).toBe(outcome === 'written' ? before + 1 : before)
  })
})

const { AppendReq } = streamsPb

const optionsMessage = (stream: string, set?: (options: streamsPb.AppendReq.Options) => void): Uint8Array => {
  const options = new AppendReq.Options()
  options.setStreamIdentifier(identifier(stream))
  if (set) set(options)
  else options.setAny(new shared.Empty())
  const request = new AppendReq()
  request.setOptions(options)
  return request.serializeBinary()
}

const eventMessage = (metadata: Record<string, string>, id: shared.UUID = uuid()): Uint8Array => {
  const message = new AppendReq.ProposedMessage()
  message.setId(id)
  for (const [key, value] of Object.entries(metadata)) message.getMetadataMap().set(key, value)
  const request = new AppendReq()
  request.setProposedMessage(message)
  return request.serializeBinary()
}

const complete = { type: 'Added', 'content-type': 'application/json' }

describe('raw classic append', () => {
  test.each([
    ['type', { 'content-type': 'application/json' }],
    ['content-type', { type: 'Added' }],
  ])('a missing %s is INVALID_ARGUMENT with its trailers', async (_, metadata) => {
    const { status: ended } = await rawAppend(used.raw, [optionsMessage(newStream()), eventMessage(metadata)])
    expect(ended.code).toBe(status.INVALID_ARGUMENT)
    expect(ended.metadata.getMap()).toMatchObject({
      exception: 'missing-required-metadata-property',
      'required-metadata-properties': 'type,content-type',
    })
  })

  test('the reply to a wrong revision is a message with the 20.6 fields as well', async () => {
    const stream = newStream()
    await used.client.appendToStream(stream, many(3))
    const refuse = async (set: (options: streamsPb.AppendReq.Options) => void) => {
      const { messages, status: ended } = await rawAppend(used.raw, [
        optionsMessage(stream, set),
        eventMessage(complete),
      ])
      expect(ended.code).toBe(status.OK)
      return streamsPb.AppendResp.deserializeBinary(messages[0] ?? Buffer.alloc(0))
        .getWrongExpectedVersion()
        ?.toObject()
    }
    expect(await refuse((options) => options.setNoStream(new shared.Empty()))).toMatchObject({
      currentRevision: '2',
      expectedNoStream: {},
      currentRevision2060: 2,
    })
    expect(await refuse((options) => options.setRevision('9'))).toMatchObject({
      currentRevision: '2',
      expectedRevision: '9',
      expectedRevision2060: 9,
    })
  })

  test('ids may come structured and are read back the same', async () => {
    const stream = newStream()
    const halves = new shared.UUID.Structured()
    halves.setMostSignificantBits('1311768467463790320')
    halves.setLeastSignificantBits('-81985529216486896')
    const id = new shared.UUID()
    id.setStructured(halves)
    await rawAppend(used.raw, [optionsMessage(stream), eventMessage(complete, id)])
    const [read] = await collect(used.client.readStream(stream))
    expect(read?.event?.id).toBe('12345678-9abc-def0-fedc-ba9876543210')
  })

  test('an append without options, without a stream, or without a revision is INVALID_ARGUMENT', async () => {
    const cases = [
      [],
      [eventMessage(complete)],
      [optionsMessage('')],
      [optionsMessage(newStream(), () => {})],
      [optionsMessage(newStream()), optionsMessage(newStream())],
      [optionsMessage(newStream()), eventMessage(complete, uuid('not a uuid'))],
      [optionsMessage('x'.repeat(3000))],
      [optionsMessage(newStream()), eventMessage({ ...complete, type: 'T'.repeat(3000) })],
    ]
    for (const messages of cases) {
      const { status: ended } = await rawAppend(used.raw, messages)
      expect(ended.code).toBe(status.INVALID_ARGUMENT)
    }
  })

  test('an event without a type, or with the nil id, is refused with the text that a batch answers', async () => {
    const stream = newStream()
    const cases = [
      [eventMessage({ ...complete, type: '' }), 'Empty eventType provided.'],
      [eventMessage(complete, uuid(nilId)), 'Empty eventId provided.'],
    ] as const
    for (const [message, details] of cases) {
      const { status: ended } = await rawAppend(used.raw, [optionsMessage(stream), eventMessage(complete), message])
      expect(ended).toMatchObject({ code: status.INVALID_ARGUMENT, details })
    }
    await expect(collect(used.client.readStream(stream))).rejects.toMatchObject({ type: 'stream-not-found' })
  })

  test('the trailers of an append that is too large', async () => {
    const message = new AppendReq.ProposedMessage()
    message.setId(uuid())
    for (const [key, value] of Object.entries(complete)) message.getMetadataMap().set(key, value)
    message.setData(Buffer.alloc(1024 * 1024 + 1))
    const request = new AppendReq()
    request.setProposedMessage(message)
    const { status: ended } = await rawAppend(used.raw, [optionsMessage(newStream()), request.serializeBinary()])
    expect(ended.code).toBe(status.INVALID_ARGUMENT)
    expect(ended.metadata.getMap()).toMatchObject({
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': '1048576',
    })
  })
})
