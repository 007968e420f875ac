// Reads a page of a stream or of $all in both directions for tools and people, without events that are hidden from clients.
import { firstRevision } from '../store/names.ts'
import type { Direction, Row } from '../store/pages.ts'
import { decodeRecord, type Recorded, tombstoneRevision } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { headToRead, youngEnough } from '../store/visible.ts'
import { parseExactly } from './exact-json.ts'

export const allStream = '$all'

/** `from` is a revision, or a position in $all; inclusive in both directions. */
export type PageRequest = { from: 'start' | 'end' | number; direction: Direction; count: number }

export type ShownEvent = Omit<Recorded, 'customMetadata'> & {
  readonly id: string
  readonly streamName: string
  readonly revision: number
  readonly position: number
  readonly metadata: Buffer
}

/**
 * @property events newest first
 * @property newer start of the next page forwards; always set, because events may be appended
 * @property older start of the next page backwards; undefined at the beginning
 */
export type PageOfEvents = { events: readonly ShownEvent[]; newer: number; older: number | undefined }

const idText = (record: Buffer): string =>
  record.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

const shown =
  ({ names }: Store) =>
  ([position, stream, , revision, record]: Row): ShownEvent => {
    const { type, isJson, createdAtMs, customMetadata: metadata, data } = decodeRecord(record)
    const streamName = names.streamName(stream)
    return { id: idText(record), streamName, type, isJson, createdAtMs, metadata, data, revision, position }
  }

type Source = {
  readonly first: number
  readonly last: number
  readonly page: (from: number) => readonly Row[]
  readonly place: (row: Row) => number
  readonly isVisible: (row: Row) => boolean
}

const pageOf = (store: Store, { from, direction }: PageRequest, source: Source): PageOfEvents => {
  const { first, last, place } = source
  const asked = from === 'start' ? first : from === 'end' ? last : from
  const start = direction === 'forwards' ? Math.max(asked, first) : Math.min(asked, last)
  const rows = start < first || start > last ? [] : source.page(start).filter((row) => place(row) >= first)
  const newestFirst = direction === 'forwards' ? rows.toReversed() : rows
  const [newest] = newestFirst
  const oldest = newestFirst.at(-1)
  const older = oldest ? place(oldest) - 1 : start - 1
  return {
    events: newestFirst.filter(source.isVisible).map(shown(store)),
    newer: newest ? place(newest) + 1 : start,
    older: older < first ? undefined : older,
  }
}

/** @returns undefined for a missing stream @throws when it was tombstoned */
export const readPage = (store: Store, streamName: string, request: PageRequest): PageOfEvents | undefined => {
  const { direction, count } = request
  if (streamName === allStream) {
    return pageOf(store, request, {
      first: 1,
      last: store.head(),
      page: (from) => store.pages.all(from, direction, count),
      place: (row) => row[0],
      isVisible: (row) => !store.names.isHiddenOfAll(row[1]),
    })
  }
  const head = headToRead(store, streamName)
  return (
    head &&
    pageOf(store, request, {
      first: firstRevision(head),
      last: head.revision,
      page: (from) => store.pages.stream(head.stream, from, direction, count),
      place: (row) => row[3],
      isVisible: youngEnough(head.metadata),
    })
  )
}

const depthMax = 100

// Counts brackets in strings, too: faster, and wrong only on the safe side.
const isDeep = (text: string): boolean => {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > depthMax) return true
  }
  return false
}

/** As JSON unless it is broken or nested too deeply; then as text, or as base64 when it is not marked as JSON. */
export const value = (isJson: boolean, bytes: Buffer): unknown => {
  if (bytes.length === 0) return null
  if (!isJson) return bytes.toString('base64')
  const text = bytes.toString('utf8')
  try {
    return isDeep(text) ? text : parseExactly(text)
  } catch {
    return text
  }
}

const revisionOf = (revision: number): number | string =>
  revision === tombstoneRevision ? '9223372036854775807' : revision

export const eventJson = (event: ShownEvent) => ({
  eventId: event.id,
  eventType: event.type,
  streamId: event.streamName,
  eventNumber: revisionOf(event.revision),
  position: event.position,
  created: new Date(event.createdAtMs).toISOString(),
  isJson: event.isJson,
  data: value(event.isJson, event.data),
  metadata: value(true, event.metadata),
})
