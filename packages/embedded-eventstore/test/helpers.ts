// Shared by the tests: a store per test file, published clients, and raw calls for requests that the client cannot express.
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { Client, credentials, type Metadata, type StatusObject } from '@grpc/grpc-js'
import { afterAll, beforeAll } from 'vitest'
import { type EmbeddedEventStore, start } from '../src/start.ts'

export const added = (number = 0, id: string = randomUUID()) =>
  jsonEvent({ id, type: 'Added', data: { number }, metadata: { $correlationId: `c${number}` } })

export const nilId = '00000000-0000-0000-0000-000000000000'

export const many = (count: number) => Array.from({ length: count }, (_, number) => added(number))

// Credentials make client 6.2.1 use the classic append.
export const classic = { credentials: { username: 'a', password: 'b' } }

let streams = 0
export const newStream = (category = 'test'): string => `${category}-${++streams}-${randomUUID()}`

type Used = Pick<EmbeddedEventStore, 'port' | 'connectionString' | 'stop'>

/** A node per test file, or the EventStoreDB without TLS at `EVENTSTORE_URL`: the rules are the same. */
const startOrTake = async (): Promise<Used> => {
  const connectionString = process.env.EVENTSTORE_URL
  if (connectionString === undefined) return start({ memory: true })
  return { port: Number(new URL(connectionString).port), connectionString, stop: async () => undefined }
}

export const useStore = () => {
  const used = {} as { store: Used; client: EventStoreDBClient; raw: Client }
  beforeAll(async () => {
    used.store = await startOrTake()
    used.client = EventStoreDBClient.connectionString(used.store.connectionString)
    used.raw = new Client(`127.0.0.1:${used.store.port}`, credentials.createInsecure())
  })
  afterAll(async () => {
    await used.client.dispose()
    used.raw.close()
    await used.store.stop()
  })
  return used
}

export const collect = async <Item>(items: AsyncIterable<Item>, count = Number.POSITIVE_INFINITY): Promise<Item[]> => {
  const found: Item[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length >= count) break
  }
  return found
}

export const identifier = (name: string): shared.StreamIdentifier => {
  const stream = new shared.StreamIdentifier()
  stream.setStreamName(Buffer.from(name))
  return stream
}

export const uuid = (text: string = randomUUID()): shared.UUID => {
  const id = new shared.UUID()
  id.setString(text)
  return id
}

/** Number of events in a fresh database with stopped projections. */
export const freshEvents = 12

/** Without events of the node itself. */
export const ofUsers = <Item extends { event?: { streamId: string } }>(events: readonly Item[]): Item[] =>
  events.filter(({ event }) => !event?.streamId.startsWith('$'))

const asTheyAre = (bytes: Buffer): Buffer => bytes
const service = (method: string): string => `/event_store.client.streams.Streams/${method}`

export type Ended = { messages: Buffer[]; status: Pick<StatusObject, 'code' | 'details'> & { metadata: Metadata } }

// Sends a read request as bytes; `stopAfter` ends a subscription after that many messages.
export const rawRead = (raw: Client, request: Uint8Array, stopAfter = Number.POSITIVE_INFINITY): Promise<Ended> =>
  new Promise((resolve) => {
    const messages: Buffer[] = []
    const call = raw.makeServerStreamRequest(service('Read'), asTheyAre, asTheyAre, Buffer.from(request))
    call.on('data', (message: Buffer) => {
      messages.push(message)
      if (messages.length >= stopAfter) call.cancel()
    })
    call.on('error', () => {})
    call.on('status', (status) => resolve({ messages, status }))
  })

export const rawDelete = (raw: Client, method: 'Delete' | 'Tombstone', request: Uint8Array): Promise<Ended> =>
  new Promise((resolve) => {
    const messages: Buffer[] = []
    const call = raw.makeUnaryRequest<Buffer, Buffer>(
      service(method),
      asTheyAre,
      asTheyAre,
      Buffer.from(request),
      (_, message) => message && messages.push(message),
    )
    call.on('status', (status: StatusObject) => resolve({ messages, status }))
  })

export const rawAppend = (raw: Client, requests: Uint8Array[]): Promise<Ended> =>
  new Promise((resolve) => {
    const messages: Buffer[] = []
    const call = raw.makeClientStreamRequest<Buffer, Buffer>(service('Append'), asTheyAre, asTheyAre, (_, message) => {
      if (message) messages.push(message)
    })
    call.on('status', (status: StatusObject) => resolve({ messages, status }))
    call.on('error', () => {})
    for (const request of requests) call.write(Buffer.from(request))
    call.end()
  })

// A batch message that appends one event to a stream at any revision.
export const batchAppend = (stream: string): Uint8Array => {
  const request = new streamsPb.BatchAppendReq()
  request.setCorrelationId(uuid())
  request.setIsFinal(true)
  const options = new streamsPb.BatchAppendReq.Options()
  options.setStreamIdentifier(identifier(stream))
  options.setAny(new (shared.Empty as unknown as new () => never)())
  request.setOptions(options)
  const message = new streamsPb.BatchAppendReq.ProposedMessage()
  message.setId(uuid())
  message.getMetadataMap().set('type', 'Added').set('content-type', 'application/json')
  message.setData(Buffer.from('{}'))
  request.addProposedMessages(message)
  return request.serializeBinary()
}

export const openBatch = (raw: Client) =>
  raw.makeBidiStreamRequest<Buffer, Buffer>(service('BatchAppend'), asTheyAre, asTheyAre)

export const rawBatch = (raw: Client, requests: Uint8Array[]): Promise<Ended> =>
  new Promise((resolve) => {
    const messages: Buffer[] = []
    const call = openBatch(raw)
    call.on('data', (message: Buffer) => messages.push(message))
    call.on('error', () => {})
    call.on('status', (status) => resolve({ messages, status }))
    for (const request of requests) call.write(Buffer.from(request))
    call.end()
  })

export const readResponses = ({ messages }: Ended): streamsPb.ReadResp[] =>
  messages.map((message) => streamsPb.ReadResp.deserializeBinary(message))

export type ReadOptions = streamsPb.ReadReq.Options

export const readRequest = (set: (options: ReadOptions) => void): Uint8Array => {
  const { Options } = streamsPb.ReadReq
  const options = new Options()
  const ids = new Options.UUIDOption()
  ids.setString(new shared.Empty())
  options.setUuidOption(ids)
  options.setNoFilter(new shared.Empty())
  set(options)
  const request = new streamsPb.ReadReq()
  request.setOptions(options)
  return request.serializeBinary()
}

export const ofStream = (options: ReadOptions, name: string): streamsPb.ReadReq.Options.StreamOptions => {
  const stream = new streamsPb.ReadReq.Options.StreamOptions()
  stream.setStreamIdentifier(identifier(name))
  stream.setStart(new shared.Empty())
  options.setStream(stream)
  return stream
}

export const ofAll = (options: ReadOptions): streamsPb.ReadReq.Options.AllOptions => {
  const all = new streamsPb.ReadReq.Options.AllOptions()
  all.setStart(new shared.Empty())
  options.setAll(all)
  return all
}
