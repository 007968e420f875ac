// Builds a read model as it was at a moment in a separate SQLite file, for support work.
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import pino from 'pino'
import { isWaiting } from '../model/parked.ts'
import type { Projection } from '../model/projection.ts'
import type { Row } from '../model/read-model.ts'
import { sqliteFile } from '../sqlite/file.ts'
import { openSqliteSink } from '../sqlite/sink.ts'
import type { Persistence } from './persistence.ts'
import { openWriter } from './writer.ts'

/** Read in one request, and written in one transaction. */
const pageEvents = 500
/** The file holds personal data. */
const ownerOnly = 0o600
/** The sink logs only about waiting readers: a replay has none. */
const logger = pino({ level: 'silent' })

/**
 * The end of a replay: the event at a position or the last one before it; or the last event before the first one of any
 * category that was recorded after a moment. The event store's clock counts, which wrote `recordedAt`, not times in the
 * data of events.
 */
export type ReplayEnd = { readonly position: Position } | { readonly moment: Date }

export type ReplayProgress = {
  /** Projected events of the projection's categories. */
  readonly events: number
  /** Everything up to here is in the rows. */
  readonly position: Position
  /** Streams with an event that could not be projected: the rows lack their events from there on. */
  readonly parkedStreams: number
}

export type ReplayOptions<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = {
  readonly store: Pick<EventStore, 'eventAt' | 'readAfter' | 'readStream' | 'storeId'>
  readonly projection: Projection<Event, Tables>
  /** Created with its folder; it exists only when it is complete. */
  readonly file: string
  readonly until: ReplayEnd
  /** Called after every transaction. */
  readonly onProgress?: (progress: ReplayProgress) => void
  /** Ends the replay between two transactions: it rejects with the signal's reason and leaves no files. */
  readonly signal?: AbortSignal
}

const alreadyThere = (file: string) => new Error(`${file} is there already: name a file that is not.`)

const isWithin = ({ position, recordedAt }: StoredEvent, until: ReplayEnd): boolean =>
  'moment' in until ? recordedAt <= until.moment : comparePosition(position, until.position) <= 0

/** A replay ends at an outage: it can be started again. */
const once: Persistence['persistently'] = (work) => work()

const fill = async <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  directory: string,
  { store, projection, until, onProgress, signal }: ReplayOptions<Event, Tables>,
): Promise<ReplayProgress> => {
  const sink = openSqliteSink({ directory, projection, logger })
  try {
    const claimed = await sink.claim(await store.storeId())
    if (!claimed) throw new Error(`Somebody else writes into ${directory}.`)
    const options = { store, sink, projection, claimed, skipped: [], persistently: once, logger }
    const writer = await openWriter({ ...options, signal: signal ?? new AbortController().signal })
    const reached = (events: number): ReplayProgress => ({
      events,
      position: writer.checkpoint().position,
      parkedStreams: writer.parked().filter(isWaiting).length,
    })
    for (let events = 0; ; ) {
      const page = await store.readAfter(writer.checkpoint().position, pageEvents)
      signal?.throwIfAborted()
      const beyond = page.findIndex((event) => !isWithin(event, until))
      const taken = beyond < 0 ? page : page.slice(0, beyond)
      const last = taken.at(-1)
      if (last) {
        const concerned = taken.filter(({ stream }) => projection.categories.includes(categoryOf(stream)))
        await writer.applyBatch({ events: concerned, position: last.position })
        events += concerned.length
        onProgress?.(reached(events))
      }
      if (taken.length < pageEvents) return reached(events)
    }
  } finally {
    await sink.close()
  }
}

/**
 * Replays the events from the first to `until` into a new file, with the tables and the code of the running
 * projection. It does not wait for events that are not stored yet.
 * @throws when `file` exists, StoreUnavailable, and errors of the disk; the file is not created then
 */
export const replayUntil = async <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  options: ReplayOptions<Event, Tables>,
): Promise<ReplayProgress> => {
  const { file, projection } = options
  if (existsSync(file)) throw alreadyThere(file)
  mkdirSync(path.dirname(file), { recursive: true })
  const directory = mkdtempSync(`${file}.replay-`)
  try {
    const reached = await fill(directory, options)
    const made = sqliteFile(directory, projection)
    chmodSync(made, ownerOnly)
    try {
      linkSync(made, file) // unlike a rename it never replaces a file
    } catch (error) {
      throw existsSync(file) ? alreadyThere(file) : error
    }
    return reached
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
