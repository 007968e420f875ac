// BatchAppend on the wire: correlation IDs, chunks, deadlines, error details.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BACKWARDS, DeadlineExceededError, END } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { added, collect, type Ended, identifier, many, newStream, nilId, rawBatch, useStore, uuid } from './helpers.ts'

const used = useStore()
const backwards = { direction: BACKWARDS, fromRevision: END } as const
const { BatchAppendReq, BatchAppendResp } = streamsPb

type Chunk = {
  correlation: string
  stream?: string
  expected?: string
  deadlineSeconds?: number
  events?: number
  eventBytes?: number
  type?: string
  id?: string
  final?: boolean
}

const chunk = (given: Chunk): Uint8Array => {
  const { correlation, stream, expected, deadlineSeconds, events = 1, eventBytes = 2, final = true } = given
  const { type = 'Added', id } = given
  const request = new BatchAppendReq()
  request.setCorrelationId(uuid(correlation))
  request.setIsFinal(final)
  if (stream !== undefined) {
    const options = new BatchAppendReq.Options()
    options.setStreamIdentifier(identifier(stream))
    if (expected === undefined) options.setAny(new (emptyOf())())
    else options.setStreamPosition(expected)
    if (deadlineSeconds !== undefined) {
      const deadline = new (timestampOf())()
      deadline.setSeconds(deadlineSeconds)
      options.setDeadline(deadline)
    }
    request.setOptions(options)
  }
  for (let number = 0; number < events; number++) {
    const message = new BatchAppendReq.ProposedMessage()
    message.setId(uuid(id))
    message.getMetadataMap().set('type', type).set('content-type', 'application/json')
    message.setData(Buffer.alloc(eventBytes, 0x20))
    request.addProposedMessages(message)
  }
  return request.serializeBinary()
}

// google-protobuf belongs to the client: its classes are reached through what the client generated.
const emptyOf = () => shared.Empty as unknown as new () => never
const timestampOf = () => {
  const options = BatchAppendReq.Options.deserializeBinary(Buffer.from([0x32, 0]))
  return options.getDeadline()?.constructor as new () => NonNullable<ReturnType<typeof options.getDeadline>>
}

const replies = ({ messages }: Ended) => messages.map((message) => BatchAppendResp.deserializeBinary(message))

test('every reply has the correlation ID and the stream', async () => {
  const [stream, correlation] = [newStream(), randomUUID()]
  const ended = await rawBatch(used.raw, [
    chunk({ correlation, stream }),
    chunk({ correlation, stream, expected: '7' }),
  ])
  expect(ended.status.code).toBe(status.OK)
  for (const reply of replies(ended)) {
    expect(reply.getCorrelationId()?.getString()).toBe(correlation)
    expect(Buffer.from(reply.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()).toBe(stream)
  }
  expect(replies(ended).map((reply) => reply.hasSuccess())).toEqual([true, false])
})

test('a wrong revision is ALREADY_EXISTS with WrongExpectedVersion as its detail', async () => {
  const stream = newStream()
  const ended = await rawBatch(used.raw, [chunk({ correlation: randomUUID(), stream, expected: '7' })])
  const error = replies(ended)[0]?.getError()
  expect(error?.getCode()).toBe(status.ALREADY_EXISTS)
  expect(error?.getDetails()?.getTypeUrl()).toBe('type.googleapis.com/event_store.client.WrongExpectedVersion')
  const wrong = shared.WrongExpectedVersion.deserializeBinary(error?.getDetails()?.getValue_asU8() ?? new Uint8Array())
  expect(wrong.toObject()).toMatchObject({ currentNoStream: {}, expectedStreamPosition: '7' })
})

test('chunks form one append, written when the final one arrives', async () => {
  const [stream, correlation, other] = [newStream(), randomUUID(), randomUUID()]
  const ended = await rawBatch(used.raw, [
    chunk({ correlation, stream, events: 2, final: false }),
    chunk({ correlation: other, stream }),
    chunk({ correlation, events: 3 }),
  ])
  expect(replies(ended).map((reply) => reply.getCorrelationId()?.getString())).toEqual([other, correlation])
  expect(replies(ended)[1]?.getSuccess()?.getCurrentRevision()).toBe('5')
})

test('a chunk with an unknown correlation id is ignored', async () => {
  const stream = newStream()
  const ended = await rawBatch(used.raw, [
    chunk({ correlation: randomUUID() }),
    chunk({ correlation: randomUUID(), stream }),
  ])
  expect(replies(ended)).toHaveLength(1)
  expect(replies(ended)[0]?.hasSuccess()).toBe(true)
})

test('appends of one call are written in the order in which they arrive', async () => {
  const stream = newStream()
  const requests = Array.from({ length: 200 }, (_, index) =>
    chunk({ correlation: randomUUID(), stream, ...(index > 0 && { expected: String(index - 1) }) }),
  )
  const ended = await rawBatch(used.raw, requests)
  expect(replies(ended).map((reply) => reply.getSuccess()?.getCurrentRevision())).toEqual(
    requests.map((_, index) => String(index)),
  )
})

test('a deadline that has passed is a Timeout and nothing is written', async () => {
  const stream = newStream()
  const ended = await rawBatch(used.raw, [chunk({ correlation: randomUUID(), stream, deadlineSeconds: 1 })])
  const error = replies(ended)[0]?.getError()
  expect(error?.getCode()).toBe(status.DEADLINE_EXCEEDED)
  expect(error?.getDetails()?.getTypeUrl()).toBe('type.googleapis.com/event_store.client.Timeout')
  const late = used.client.appendToStream(stream, added(), { deadline: -1000 })
  await expect(late).rejects.toThrow(DeadlineExceededError)
  await expect(collect(used.client.readStream(stream))).rejects.toMatchObject({ type: 'stream-not-found' })
})

test('an append that is too large is refused with its detail, its later chunks are ignored', async () => {
  const [stream, correlation] = [newStream(), randomUUID()]
  const ended = await rawBatch(used.raw, [
    chunk({ correlation, stream, eventBytes: 1024 * 1024 + 1, final: false }),
    chunk({ correlation }),
    chunk({ correlation: randomUUID(), stream }),
  ])
  const [refused, written] = replies(ended)
  expect(refused?.getError()?.getDetails()?.getTypeName()).toBe('event_store.client.MaximumAppendSizeExceeded')
  expect(written?.getSuccess()?.getCurrentRevision()).toBe('0')
})

test('an invalid request is refused alone, and the call continues', async () => {
  const stream = newStream()
  const ended = await rawBatch(used.raw, [
    chunk({ correlation: randomUUID(), stream: '' }),
    chunk({ correlation: randomUUID(), stream: '$all' }),
    chunk({ correlation: randomUUID(), stream }),
  ])
  const kinds = replies(ended).map((reply) => reply.getError()?.getDetails()?.getTypeName())
  expect(kinds).toEqual(['event_store.client.BadRequest', 'event_store.client.AccessDenied', undefined])
})

test("an event without a type, or with the nil id, is refused once, in EventStoreDB's words", async () => {
  const stream = newStream()
  const [untyped, nil, written] = [randomUUID(), randomUUID(), randomUUID()]
  const ended = await rawBatch(used.raw, [
    chunk({ correlation: untyped, stream, type: '', final: false }),
    chunk({ correlation: untyped }),
    chunk({ correlation: nil, stream, id: nilId }),
    chunk({ correlation: written, stream }),
  ])
  const said = replies(ended).map((reply) => {
    const value = reply.getError()?.getDetails()?.getValue_asU8()
    return [reply.getCorrelationId()?.getString(), value && shared.BadRequest.deserializeBinary(value).getMessage()]
  })
  expect(said).toEqual([
    [untyped, 'Empty eventType provided.'],
    [nil, 'Empty eventId provided.'],
    [written, undefined],
  ])
  expect(replies(ended)[0]?.getError()?.getMessage()).toBe('BadRequest')
})

test('a request without a correlation ID ends the call, because its answer could not be assigned', async () => {
  const ended = await rawBatch(used.raw, [new BatchAppendReq().serializeBinary()])
  expect(ended.status.code).toBe(status.INVALID_ARGUMENT)
})

test('hundreds of concurrent appends of one client succeed', async () => {
  const stream = newStream()
  const results = await Promise.all(many(500).map((event) => used.client.appendToStream(stream, event)))
  expect(results.map(({ nextExpectedRevision }) => nextExpectedRevision)).toEqual(results.map((_, at) => BigInt(at)))
})

test('an unreadable message ends the call, and complete requests before it are still written', async () => {
  const stream = newStream()
  const ended = await rawBatch(used.raw, [chunk({ correlation: randomUUID(), stream }), Buffer.from([0xff])])
  expect(ended.status.code).toBe(status.INVALID_ARGUMENT)
  // The request was complete, so it is written; its answer may be lost with the call.
  expect(replies(ended).length).toBeLessThanOrEqual(1)
  const events = async () => collect(used.client.readStream(stream)).catch(() => [])
  await expect.poll(events).toHaveLength(1)
})

test('a client that reads no answers is read only up to a bound, and no append is lost', async () => {
  const stream = newStream()
  const session = connect(`http://127.0.0.1:${used.store.port}`)
  const call = session.request({
    ':method': 'POST',
    ':path': '/event_store.client.streams.Streams/BatchAppend',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const sent = 10_000
  const framed = (message: Uint8Array) => {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    return Buffer.concat([head, message])
  }
  for (let number = 0; number < sent; number++)
    call.write(framed(chunk({ correlation: randomUUID(), stream, eventBytes: 200 })))
  call.end()

  const written = async () => {
    const [last] = await collect(used.client.readStream(stream, { ...backwards, maxCount: 1 })).catch(() => [])
    return Number(last?.event?.revision ?? -1n) + 1
  }
  // Server and client share this process: when neither made progress in its turn, none will follow.
  let before = -1
  let now = await written()
  for (let still = 0; still < 20; still = now === before ? still + 1 : 0) {
    before = now
    for (let turn = 0; turn < 50; turn++) await nextTurn()
    now = await written()
  }
  expect(now).toBeGreaterThan(0)
  expect(now).toBeLessThan(sent / 2)

  call.resume()
  await once(call, 'end')
  expect(await written()).toBe(sent)
  session.close()
})
