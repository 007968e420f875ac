// Odd names, odd bytes and many clients at once: the node answers each of them and never dies.

import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { Client, credentials, status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure } from '../src/errors.ts'
import {
  added,
  classic,
  collect,
  identifier,
  newStream,
  ofAll,
  ofStream,
  rawAppend,
  rawBatch,
  rawRead,
  readRequest,
  useStore,
  uuid,
} from './helpers.ts'

const used = useStore()

test('appends of many clients: revisions without gaps, positions strictly increasing', async () => {
  const streams = [newStream(), newStream(), newStream()]
  const clients = Array.from({ length: 8 }, () => EventStoreDBClient.connectionString(used.store.connectionString))
  const appends = clients.flatMap((client, at) =>
    Array.from({ length: 60 }, (_, number) =>
      client.appendToStream(streams[number % 3] as string, [added(), added()], at % 2 === 0 ? {} : classic),
    ),
  )
  const results = await Promise.all(appends)
  const positions = new Set(results.map(({ position }) => position?.commit))
  expect(positions.size).toBe(results.length)
  for (const stream of streams) {
    const events = (await collect(used.client.readStream(stream))).map(({ event }) => event)
    expect(events.map((event) => event?.revision)).toEqual(Array.from({ length: 8 * 20 * 2 }, (_, at) => BigInt(at)))
    const places = events.map((event) => event?.position?.commit ?? 0n)
    expect(places.every((place, at) => at === 0 || place > (places[at - 1] ?? 0n))).toBe(true)
  }
  await Promise.all(clients.map((client) => client.dispose()))
})

test('one append that is refused does not touch the others of its group', async () => {
  const stream = newStream()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, (_, number) =>
      used.client.appendToStream(stream, added(number), { expectedRevision: number % 2 ? 10_000n : 'any' }),
    ),
  )
  expect(outcomes.map((outcome) => outcome.status)).toEqual(
    outcomes.map((_, number) => (number % 2 ? 'rejected' : 'fulfilled')),
  )
  expect(await collect(used.client.readStream(stream))).toHaveLength(20)
})

test('any name, type and value that can be sent is read back as it was', async () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), fc.string({ minLength: 1 }))
  const wellFormed = text.map((value) => value.toWellFormed())
  await fc.assert(
    fc.asyncProperty(wellFormed, wellFormed, fc.jsonValue(), async (name, type, value) => {
      const stream = `${name}-${newStream()}`
      const metadata = { value }
      await used.client.appendToStream(stream, jsonEvent({ type, data: { value }, metadata }))
      const [read] = await collect(used.client.readStream(stream))
      expect(read?.event).toMatchObject({ streamId: stream, type })
      expect(JSON.stringify(read?.event?.data)).toBe(JSON.stringify({ value }))
      const refused = used.client.appendToStream(stream, added(), { ...classic, expectedRevision: 5n })
      await expect(refused).rejects.toMatchObject({ streamName: stream, actualVersion: 0n })
    }),
    { numRuns: 60 },
  )
})

test('§2.8 trailers hold whatever a stream is called', () => {
  for (const name of ['häßlich ☃', ' both ', 'line\nbreak', '\u0000', '\ud800', '💧'.repeat(50)]) {
    const { metadata } = failure(status.FAILED_PRECONDITION, name, { exception: 'stream-deleted', 'stream-name': name })
    expect(String(metadata.get('stream-name')[0])).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/)
  }
})

const { AppendReq, BatchAppendReq } = streamsPb

const validMessages = (): Uint8Array[] => {
  const filtered = readRequest((options) => {
    ofAll(options)
    const filter = new streamsPb.ReadReq.Options.FilterOptions()
    const expression = new streamsPb.ReadReq.Options.FilterOptions.Expression()
    expression.setRegex('^a')
    filter.setStreamIdentifier(expression)
    filter.setMax(3)
    filter.setCheckpointintervalmultiplier(2)
    options.setFilter(filter)
    options.setCount('5')
  })
  const plain = readRequest((options) => {
    ofStream(options, 'some-stream').setRevision('3')
    options.setSubscription(new streamsPb.ReadReq.Options.SubscriptionOptions())
  })
  const append = new AppendReq()
  const appendOptions = new AppendReq.Options()
  appendOptions.setStreamIdentifier(identifier('fuzzed'))
  appendOptions.setAny(new shared.Empty())
  append.setOptions(appendOptions)
  const event = new AppendReq()
  const proposed = new AppendReq.ProposedMessage()
  proposed.setId(uuid())
  proposed.getMetadataMap().set('type', 'T').set('content-type', 'application/json')
  event.setProposedMessage(proposed)
  const batch = new BatchAppendReq()
  batch.setCorrelationId(uuid())
  const batchOptions = new BatchAppendReq.Options()
  batchOptions.setStreamIdentifier(identifier('fuzzed'))
  batchOptions.setStreamPosition('3')
  batch.setOptions(batchOptions)
  batch.setIsFinal(true)
  return [filtered, plain, append.serializeBinary(), event.serializeBinary(), batch.serializeBinary()]
}

test('500 random, truncated and altered messages: each call ends, the node lives', async () => {
  const messages = validMessages()
  const altered = fc
    .record({
      message: fc.constantFrom(...messages),
      length: fc.double({ min: 0, max: 1, noNaN: true }),
      changes: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    })
    .map(({ message, length, changes }) => {
      const bytes = Uint8Array.from(message.subarray(0, Math.ceil(message.length * length)))
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
      return bytes
    })
  const odd = fc.oneof(fc.uint8Array({ maxLength: 100 }), altered, altered)
  const raw = new Client(`127.0.0.1:${used.store.port}`, credentials.createInsecure())
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('read', 'append', 'batch'), odd, async (way, bytes) => {
      const [, , options] = messages as [Uint8Array, Uint8Array, Uint8Array]
      if (way === 'read') await rawRead(raw, bytes, 1)
      else if (way === 'append') await rawAppend(raw, [options, bytes])
      else await rawBatch(raw, [bytes, bytes])
    }),
    { numRuns: 500 },
  )
  raw.close()
  const stream = newStream()
  await used.client.appendToStream(stream, added())
  expect(await collect(used.client.readStream(stream))).toHaveLength(1)
})
