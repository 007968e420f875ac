// Reads the source of a group, a stream or $all, in pages after a place.

import { firstRevision } from '../store/names.ts'
import type { Row } from '../store/pages.ts'
import { type SentEvent, tombstoneRevision } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { youngEnough } from '../store/visible.ts'
import { createResolve } from '../streams/events.ts'
import { createFilter, type Filter } from '../streams/filter.ts'
import { i64Max } from '../wire/wire.ts'
import type { Definition, Place } from './settings.ts'

/** The first 16 bytes of a record are the event's ID. */
export const idOf = (record: Buffer): string => record.subarray(0, 16).toString('latin1')

export type Read = SentEvent & {
  /** The ID in consumers' answers: that of the link, if it is one. */
  readonly id: string
  readonly place: Place
  readonly streamName: string
  readonly revision: number
}

type Page = {
  readonly events: readonly Read[]
  /** All events up to here were examined. */
  readonly place: Place
  readonly isEnd: boolean
}

export type EventSource = {
  /** The place of the last event; -1 when there is none. */
  readonly end: () => Place
  /** True when the stream was tombstoned. */
  readonly isOver: () => boolean
  /**
   * @param wasLive retention hides events only from a group that is catching up, not from one that was live
   * @throws when its filter cannot be used
   */
  readonly readAfter: (place: Place, count: number, wasLive: boolean) => Page
  readonly watch: (wake: () => void) => () => void
  /** Formats a place for checkpoints and statistics. */
  readonly write: (place: Place) => string
  readonly parse: (text: string) => Place | undefined
}

const createRead = (store: Store, resolveLinks: boolean) => {
  const resolve = createResolve(store, resolveLinks)
  return (row: Row, place: Place): Read => ({
    ...resolve(row),
    id: idOf(row[4]),
    place,
    streamName: store.names.streamName(row[1]),
    revision: row[3],
  })
}

const streamSource = (store: Store, streamName: string, resolveLinks: boolean): EventSource => {
  const read = createRead(store, resolveLinks)
  return {
    end: () => {
      const { revision } = store.names.head(streamName)
      return revision === tombstoneRevision ? -1 : revision
    },
    isOver: () => store.names.isTombstoned(streamName),
    readAfter: (after, count, wasLive) => {
      const head = store.names.head(streamName)
      const { stream, revision, metadata } = head
      // Catching up ends at a tombstone.
      if (revision === tombstoneRevision && !wasLive) return { events: [], place: after, isEnd: false }
      const next = wasLive ? after + 1 : Math.max(after + 1, firstRevision(head))
      if (stream === undefined || revision < next) return { events: [], place: after, isEnd: true }
      const rows = store.pages.stream(stream, next, 'forwards', count)
      const place = rows.at(-1)?.[3] ?? revision
      const events = (wasLive ? rows : rows.filter(youngEnough(metadata))).map((row) => read(row, row[3]))
      return { events, place, isEnd: place >= revision }
    },
    watch: (wake) => store.watchStream(streamName, wake),
    write: (place) => String(place === tombstoneRevision ? i64Max : place),
    parse: (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
  }
}

const allSource = (store: Store, { source, settings }: Definition): EventSource => {
  const options = source.kind === 'all' ? source.filter : undefined
  // Created on first use: a stored filter that this version refuses must stop only its group, not the start of the node.
  let filter: Filter | undefined
  const read = createRead(store, settings.resolveLinks)
  return {
    end: store.head,
    isOver: () => false,
    readAfter: (after, count) => {
      const page = store.pages.places(after + 1, 'forwards')
      if (options) filter ??= createFilter(options, store.names)
      const { places, matches } = filter?.(page) ?? { places: page, matches: undefined }
      const events: Read[] = []
      let place = after
      for (const [position, stream, type] of places) {
        if (events.length >= count) break
        place = position
        if (store.names.isHiddenOfAll(stream) || matches?.([position, stream, type]) === false) continue
        const row = store.pages.at(position)
        if (row) events.push(read(row, position))
      }
      return { events, place, isEnd: place >= store.head() }
    },
    watch: store.watchAll,
    write: (place) => `C:${place}/P:${place}`,
    parse: (text) => {
      const position = /^C:(\d+)\/P:\d+$/.exec(text)?.[1]
      return position === undefined ? undefined : Number(position)
    },
  }
}

export const openSource = (store: Store, definition: Definition): EventSource =>
  definition.source.kind === 'all'
    ? allSource(store, definition)
    : streamSource(store, definition.source.streamName, definition.settings.resolveLinks)
