// A server that omits an event's position: the store's current head is used instead of the official client's placeholder.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { expect, onTestFinished, test } from 'vitest'
import { connectEventStore } from '../src/client/client.ts'
import { logger } from './support.ts'

/** The position that EventStoreDB before version 23 reports for events of a stream, and the client for missing ones. */
const unknown = '18446744073709551615'
const { ReadReq, ReadResp } = streamsPb

const recorded = (place: string): Uint8Array => {
  const event = new ReadResp.ReadEvent.RecordedEvent()
  const id = new shared.UUID()
  id.setString(randomUUID())
  event.setId(id)
  const stream = new shared.StreamIdentifier()
  stream.setStreamName(Buffer.from('thing-1'))
  event.setStreamIdentifier(stream)
  event.setStreamRevision('0')
  event.setCommitPosition(place)
  event.setPreparePosition(place)
  event.getMetadataMap().set('type', 'Happened').set('content-type', 'application/json').set('created', '0')
  event.setData(Buffer.from('{}'))
  const resolved = new ReadResp.ReadEvent()
  resolved.setEvent(event)
  const answer = new ReadResp()
  answer.setEvent(resolved)
  return answer.serializeBinary()
}

const framed = (message: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

const serve = async (answer: (request: Buffer) => Uint8Array) => {
  const server = createServer().listen(0, '127.0.0.1')
  server.on('stream', async (stream: ServerHttp2Stream) => {
    const [request] = (await once(stream, 'data')) as [Buffer]
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(framed(answer(request.subarray(5))))
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const store = connectEventStore({ url: `esdb://127.0.0.1:${port}?tls=false`, logger })
  onTestFinished(async () => {
    await store.close()
    server.close()
  })
  return store
}

const asksForHead = (request: Buffer) => ReadReq.deserializeBinary(request).getOptions()?.hasAll() === true

test('an event without a position gets the position of the head', async () => {
  const store = await serve((request) => recorded(asksForHead(request) ? '7' : unknown))
  const [event] = await store.readStream('thing-1', 0n, 1)
  expect(event?.position).toEqual({ commit: 7n, prepare: 7n })
})

test('a head without a position counts as the beginning', async () => {
  const store = await serve(() => recorded(unknown))
  expect(await store.head()).toEqual({ commit: 0n, prepare: 0n })
})

test('an event with a position keeps it, and the head is not read', async () => {
  let heads = 0
  const store = await serve((request) => {
    if (asksForHead(request)) heads++
    return recorded('5')
  })
  const [event] = await store.readStream('thing-1', 0n, 1)
  expect(event?.position).toEqual({ commit: 5n, prepare: 5n })
  expect(heads).toBe(0)
})
