// Streams over HTTP/1.1: POST appends, GET reads a page or one event, as JSON.
import { randomUUID } from 'node:crypto'
import type { Store } from '../store/store.ts'
import type { Outcome } from '../store/writer.ts'
import { addEvent, collect, type Refusal, writeTimeoutMs } from '../streams/append-rules.ts'
import { messageOf, Refused } from '../wire/errors.ts'
import type { Expected, ProposedEvent } from '../wire/messages.ts'
import { type Answer, type Asked, checkAccess, json, refusal } from './http.ts'
import { allStream, eventJson, type PageOfEvents, type PageRequest, readPage } from './page-of-events.ts'

const pageEventsDefault = 20
const pageEventsMax = 200

const batchType = 'application/vnd.eventstore.events+json'
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const idOf = (text: string): Buffer => {
  if (!uuid.test(text)) throw refusal(400, `"${text}" is not a UUID.`)
  return Buffer.from(text.replaceAll('-', ''), 'hex')
}

const header = ({ headers }: Asked, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

const expectedOf = (text: string | undefined): Expected => {
  if (text === undefined || text === '-2') return 'any'
  if (text === '-1') return 'no stream'
  if (text === '-4') return 'stream exists'
  if (!/^\d{1,18}$/.test(text)) throw refusal(400, `ES-ExpectedVersion "${text}" is no revision, nor -1, -2 or -4.`)
  return BigInt(text)
}

const text = (value: unknown): Buffer => Buffer.from(value === undefined ? '' : JSON.stringify(value))

const batchEvent = (entry: unknown): ProposedEvent => {
  const { eventId, eventType, data, metadata } = (entry ?? {}) as Record<string, unknown>
  if (typeof eventId !== 'string' || typeof eventType !== 'string') {
    throw refusal(400, 'Every event of a batch has an eventId and an eventType.')
  }
  const contentType = 'application/json'
  return { id: idOf(eventId), type: eventType, contentType, data: text(data), customMetadata: text(metadata) }
}

const batchEvents = (body: Buffer): ProposedEvent[] => {
  let entries: unknown
  try {
    entries = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw refusal(400, `The batch is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  if (!Array.isArray(entries) || entries.length === 0) throw refusal(400, 'A batch is a list of one event or more.')
  return entries.map(batchEvent)
}

// The body of a single event is stored unchanged, JSON or not.
const eventsOf = (asked: Asked): ProposedEvent[] => {
  const contentType = header(asked, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  if (contentType === batchType) return batchEvents(asked.body)
  const type = header(asked, 'es-eventtype')
  if (type === undefined) throw refusal(400, `Send the event type as ES-EventType, or a batch as ${batchType}.`)
  const id = idOf(header(asked, 'es-eventid') ?? randomUUID())
  return [{ id, type, contentType, data: asked.body, customMetadata: Buffer.alloc(0) }]
}

const refusedStatus = {
  'bad request': 400,
  'access denied': 403,
  'stream deleted': 410,
  'missing required metadata': 400,
  'maximum append size exceeded': 413,
  'timed out': 503,
  busy: 503,
  'not ready': 503,
  failed: 500,
} as const satisfies Record<Refusal['kind'], number>

const refused = (found: Refusal) => refusal(refusedStatus[found.kind], messageOf(found))

const pathOf = (streamName: string, revision: number): string =>
  `/streams/${encodeURIComponent(streamName)}/${revision}`

const append = async (store: Store, streamName: string, asked: Asked): Promise<Answer> => {
  const collected = collect({ streamName, expected: expectedOf(header(asked, 'es-expectedversion')) })
  if ('kind' in collected) throw refused(collected)
  for (const event of eventsOf(asked)) {
    const found = addEvent(collected, event)
    if (found) throw refused(found)
  }
  const { expected, events, wholeBytes } = collected
  const deadlineAtMs = Date.now() + writeTimeoutMs
  const write = { kind: 'append', streamName, expected, events, bytes: wholeBytes, deadlineAtMs } as const
  const outcome = await new Promise<Outcome>((resolve) => store.write(write, resolve))
  if (outcome.kind === 'success') {
    const { revision, position } = outcome
    return { ...json({ revision, position }, 201), headers: { location: pathOf(streamName, revision) } }
  }
  if (outcome.kind !== 'wrong expected revision') throw refused(outcome)
  throw refusal(400, `Wrong expected EventNumber: the stream is at ${outcome.current}.`, {
    'es-currentversion': String(outcome.current),
  })
}

const wholeNumber = (name: string, given: string): number => {
  const number = Number(given)
  if (!/^\d+$/.test(given) || !Number.isSafeInteger(number)) throw refusal(400, `${name} "${given}" is not a number.`)
  return number
}

/** Newest first from the end, unless the query says otherwise. */
export const pageRequest = (query: URLSearchParams): PageRequest => {
  const from = query.get('from') ?? 'end'
  const direction = query.get('direction') ?? 'backwards'
  if (direction !== 'forwards' && direction !== 'backwards') {
    throw refusal(400, `direction "${direction}" is neither forwards nor backwards.`)
  }
  const count = wholeNumber('count', query.get('count') ?? String(pageEventsDefault))
  return {
    from: from === 'start' || from === 'end' ? from : wholeNumber('from', from),
    direction,
    count: Math.min(Math.max(count, 1), pageEventsMax),
  }
}

/** @throws a refusal: 404 for a missing stream, 410 for a tombstoned one */
export const readShown = (store: Store, streamName: string, request: PageRequest): PageOfEvents => {
  try {
    const page = readPage(store, streamName, request)
    if (page) return page
  } catch (error) {
    if (error instanceof Refused) throw refusal(410, error.message)
    throw error
  }
  throw refusal(404, `There is no stream "${streamName}".`)
}

const readOne = (store: Store, streamName: string, number: string): Answer => {
  const from = wholeNumber('The number of an event', number)
  const { events } = readShown(store, streamName, { from, direction: 'forwards', count: 1 })
  const [event] = events
  const place = streamName === allStream ? event?.position : event?.revision
  if (!event || place !== from) {
    throw refusal(404, `"${streamName}" has no event ${from} to be read.`)
  }
  return json(eventJson(event))
}

const read = (store: Store, streamName: string, query: URLSearchParams): Answer => {
  const { events, newer, older } = readShown(store, streamName, pageRequest(query))
  const answer = json({ streamId: streamName, events: events.map(eventJson), newer, older: older ?? null })
  const { cacheControlSeconds } = store.names.head(streamName).metadata
  if (cacheControlSeconds === undefined) return answer
  return { ...answer, headers: { 'cache-control': `private, max-age=${cacheControlSeconds}` } }
}

export const routeStreams =
  (store: Store) =>
  (asked: Asked): Answer | undefined | Promise<Answer> => {
    const [root, streamName = '', number, ...more] = asked.path
    if (root !== 'streams' || streamName === '' || more.length > 0) return undefined
    if (asked.method === 'POST') {
      checkAccess(asked, 'write', streamName)
      return number === undefined ? append(store, streamName, asked) : undefined
    }
    if (asked.method !== 'GET' && asked.method !== 'HEAD') return undefined
    checkAccess(asked, 'read', streamName)
    return number === undefined ? read(store, streamName, asked.query) : readOne(store, streamName, number)
  }
