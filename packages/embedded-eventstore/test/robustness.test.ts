// Unusual names, invalid bytes and many concurrent clients: the node answers all of them and never dies.
import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failureFor } from '../src/wire/errors.ts'
import { added, classic, collect, newStream, useStore } from './helpers.ts'

const used = useStore()

test('concurrent appends of many clients get revisions without gaps and strictly increasing positions', async () => {
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

test('a refused append does not affect the others of its group', async () => {
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

test('any name, type and value is read back unchanged', async () => {
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

test('trailers can hold any stream name', () => {
  for (const name of ['häßlich ☃', ' both ', 'line\nbreak', '\u0000', '\ud800', '💧'.repeat(50)]) {
    const { metadata } = failureFor({ kind: 'stream deleted', streamName: name })
    expect(String(metadata.get('stream-name')[0])).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/)
  }
})

test('immediately reset calls to unknown methods or without gRPC affect no other call', async () => {
  const session = connect(`http://127.0.0.1:${used.store.port}`)
  const calls = Array.from({ length: 50 }, async (_, number) => {
    const type = number % 2 === 0 ? 'application/grpc' : 'text/plain'
    const call = session.request({ ':method': 'POST', ':path': '/x/y', 'content-type': type })
    call.on('error', () => {})
    call.close(constants.NGHTTP2_CANCEL)
    await once(call, 'close')
  })
  await Promise.all(calls)
  session.destroy()
  const stream = newStream()
  await used.client.appendToStream(stream, added())
  expect(await collect(used.client.readStream(stream))).toHaveLength(1)
})
