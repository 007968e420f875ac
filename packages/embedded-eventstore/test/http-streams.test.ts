// Streams over HTTP/1.1: clients read posted events, and HTTP reads events of clients.
import { randomUUID } from 'node:crypto'
import { jsonEvent } from '@eventstore/db-client'
import { expect, test } from 'vitest'
import { added, collect, many, newStream, nilId, useStore } from './helpers.ts'

const used = useStore()
const url = (stream: string, rest = ''): string =>
  `http://127.0.0.1:${used.store.port}/streams/${encodeURIComponent(stream)}${rest}`

const post = (stream: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url(stream), {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'es-eventtype': 'Added', ...headers },
  })
type Shown = { events: { eventNumber: number }[]; newer: number; older: number | null }
const got = async (stream: string, rest = '') => {
  const response = await fetch(url(stream, rest))
  return { status: response.status, body: (await response.json()) as Shown }
}

test('POST with ES-EventType appends an event that the client can read', async () => {
  const stream = newStream('häß/lich ☃')
  const id = randomUUID()
  const posted = await post(stream, '{"number":1}', { 'es-eventid': id })
  expect(posted.status).toBe(201)
  expect(posted.headers.get('location')).toBe(`/streams/${encodeURIComponent(stream)}/0`)
  const [read] = await collect(used.client.readStream(stream))
  expect(read?.event).toMatchObject({ id, type: 'Added', isJson: true, data: { number: 1 }, streamId: stream })
  expect((await post(stream, '{}')).status).toBe(201)
})

test('malformed JSON is stored unchanged', async () => {
  const stream = newStream()
  expect((await post(stream, '{"number":')).status).toBe(201)
  expect((await got(stream, '/0')).body).toMatchObject({ isJson: true, data: '{"number":' })
})

test('ES-ExpectedVersion is checked, and repeats are recognized by their ID', async () => {
  const stream = newStream()
  const first = { 'es-eventid': randomUUID(), 'es-expectedversion': '-1' }
  const once = await (await post(stream, '{}', first)).json()
  expect(await (await post(stream, '{}', first)).json()).toEqual(once)
  const wrong = await post(stream, '{}', { 'es-expectedversion': '7' })
  expect([wrong.status, wrong.headers.get('es-currentversion')]).toEqual([400, '0'])
  expect((await post(stream, '{}', { 'es-expectedversion': 'x' })).status).toBe(400)
})

test('metadata sets how long a page may be cached', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, added())
  expect((await fetch(url(stream))).headers.get('cache-control')).toBe('no-store')
  await used.client.setStreamMetadata(stream, { cacheControl: 60 })
  expect((await fetch(url(stream))).headers.get('cache-control')).toBe('private, max-age=60')
})

test('a batch is appended atomically', async () => {
  const stream = newStream()
  const events = [1, 2].map((number) => ({
    eventId: randomUUID(),
    eventType: 'Added',
    data: { number },
    metadata: { number },
  }))
  const batch = { 'content-type': 'application/vnd.eventstore.events+json' }
  expect((await post(stream, JSON.stringify(events), batch)).status).toBe(201)
  const read = await collect(used.client.readStream(stream))
  expect(read.map(({ event }) => [event?.id, event?.data, event?.metadata])).toEqual(
    events.map(({ eventId, data, metadata }) => [eventId, data, metadata]),
  )
  for (const bad of ['{', '{}', '[]', '[{"eventType":"x"}]', '[null]', '[{"eventId":"x","eventType":"y"}]']) {
    expect((await post(newStream(), bad, batch)).status).toBe(400)
  }
})

test('an invalid append is refused with its reason', async () => {
  const untyped = await fetch(url(newStream()), {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  expect(untyped.status).toBe(400)
  expect(await untyped.json()).toMatchObject({ error: expect.stringContaining('ES-EventType') })
  expect((await post('$all', '{}')).status).toBe(403)
  expect((await post(newStream(), 'x'.repeat(1024 * 1024 + 1))).status).toBe(413)
  expect((await post(newStream(), '{}', { 'es-eventid': 'no' })).status).toBe(400)
  const nil = await post(newStream(), '{}', { 'es-eventid': nilId })
  expect([nil.status, await nil.json()]).toEqual([400, { error: 'Empty eventId provided.' }])
  expect((await post(newStream(), '{}', { 'es-eventtype': '' })).status).toBe(400)
  const deleted = newStream()
  await used.client.appendToStream(deleted, added())
  await used.client.tombstoneStream(deleted)
  expect((await post(deleted, '{}')).status).toBe(410)
  expect((await got(deleted)).status).toBe(410)
})

test('pages list the newest event first, link to their neighbours, and omit events hidden by metadata', async () => {
  const stream = newStream()
  await used.client.appendToStream(stream, many(7))
  const numbers = (page: Awaited<ReturnType<typeof got>>) => page.body.events.map((event) => event.eventNumber)
  const newest = await got(stream, '?count=3')
  expect(numbers(newest)).toEqual([6, 5, 4])
  const older = await got(stream, `?count=3&from=${newest.body.older}`)
  expect([numbers(older), older.body.newer]).toEqual([[3, 2, 1], 4])
  expect(numbers(await got(stream, '?from=start&direction=forwards&count=2'))).toEqual([1, 0])
  expect((await got(stream, '?from=7&direction=forwards')).body).toMatchObject({ events: [], newer: 7, older: 6 })
  await used.client.setStreamMetadata(stream, { truncateBefore: 5 })
  const last = await got(stream, '?count=10')
  expect([numbers(last), last.body.older]).toEqual([[6, 5], null])
  expect((await got(stream, '/4')).status).toBe(404)
  expect((await got(stream, '/5')).body).toMatchObject({
    streamId: stream,
    eventNumber: 5,
    metadata: { $correlationId: 'c5' },
  })
})

test('$all can be read by position', async () => {
  const stream = newStream()
  const { position } = await used.client.appendToStream(stream, jsonEvent({ type: 'Last', data: {} }))
  expect((await got('$all', '?count=1')).body.events).toMatchObject([{ streamId: stream, eventType: 'Last' }])
  expect((await got('$all', `/${position?.commit}`)).body).toMatchObject({ position: Number(position?.commit) })
})

test('a missing stream is 404, and an invalid query is 400', async () => {
  expect((await got(newStream())).status).toBe(404)
  for (const query of ['?from=x', '?count=x', '?direction=sideways'])
    expect((await got('$all', query)).status).toBe(400)
})
