// The EventStoreDB client of Headwater, on the official one: appends, bounded reads, subscriptions, and the store's ID.
import {
  ANY,
  BACKWARDS,
  END,
  type EventStoreDBClient,
  FORWARDS,
  START,
  StreamDeletedError,
} from '@eventstore/db-client'
import { Rejection } from '@headwater/deciders/decider'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import type { StoredEvent } from '../codec.ts'
import { beginning, comparePosition, type Position } from '../position.ts'
import { storeName } from '../store-name.ts'
import { type EventToAppend, type ExpectedRevision, shareAppender } from './appender.ts'
import { type AllStreamRecordedEvent, type ClientEvent, isKnown, toStoredEvent } from './client-events.ts'
import { closeChannel, isOutage, newConnection } from './connection.ts'
import { type MetadataWatch, watchMetadata } from './metadata-watch.ts'
import { noticeNotFound } from './notice-not-found.ts'
import { type OpenSubscription, openSubscription, type SubscriptionHandlers } from './open-subscription.ts'

export type { EventToAppend, ExpectedRevision } from './appender.ts'
export type { OpenSubscription, SubscriptionHandlers } from './open-subscription.ts'

/** Limit for a page of a stream, one event or the head: a slower answer means a broken connection. */
const readTimeoutMs = 4_000
/** Limit for the first event of some categories, for which the server may have to search. */
const searchTimeoutMs = 10_000
const readTriesMax = 5
const readBackoff: Backoff = { delayMsMin: 50, delayMsMax: 1_000 }
/** A follower of a cluster may lag behind, and would report a new stream as missing. */
const ofLeader = { requiresLeader: true }

/** The event store does not answer. The outcome of an append is unknown; the same commandId may be sent again. */
export class StoreUnavailable extends Rejection {
  constructor(cause: unknown) {
    super('event_store_unavailable', 'The event store does not answer. Try again in a moment.')
    this.cause = cause
  }
}

/** The stream was tombstoned: it can never be read or written again. */
export class StreamDeleted extends Rejection {
  constructor() {
    super('stream_deleted', 'It was deleted and cannot be used again.')
  }
}

/** `readStream` returns exactly this array for a missing stream. A soft-deleted stream reads the same. */
export const noSuchStream: readonly StoredEvent[] = Object.freeze([])

export type AppendOutcome =
  | {
      readonly outcome: 'appended'
      /** The revision of the last event. */
      readonly revision: bigint
      readonly position: Position
      /** The first attempt was answered; otherwise the events may have been there before. */
      readonly firstAttempt: boolean
    }
  | { readonly outcome: 'conflict'; readonly firstAttempt: boolean }

export type EventStore = {
  /**
   * Appends all events or none.
   * @param deadlineMs by `performance.now()`: nothing is sent after it
   * @throws StreamDeleted; StoreUnavailable when no attempt was answered: the outcome is unknown
   */
  readonly append: (
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
    deadlineMs?: number,
  ) => Promise<AppendOutcome>
  /**
   * At most `maxCount` events of a stream from revision `from` on; {@link noSuchStream} when there is none.
   * @throws StreamDeleted
   */
  readonly readStream: (stream: string, from: bigint, maxCount: number) => Promise<readonly StoredEvent[]>
  /** The same from revision `from`, or from the stream's end, backwards: the newest first. */
  readonly readStreamBack: (stream: string, from: bigint | 'end', maxCount: number) => Promise<readonly StoredEvent[]>
  /**
   * Deletes a stream for good: it ends with a `$streamDeleted`, and a scavenge removes its events. Returns false for a
   * missing stream, which it tombstones only with `evenIfMissing`.
   */
  readonly tombstone: (stream: string, evenIfMissing?: boolean) => Promise<boolean>
  /** The position of the store's last event. */
  readonly head: () => Promise<Position>
  /** The event at exactly this position. */
  readonly eventAt: (position: Position) => Promise<StoredEvent | undefined>
  /** The next events of `$all` after a position, of all categories; fewer than `maxCount` only when there are no more. */
  readonly readAfter: (position: Position, maxCount: number) => Promise<readonly StoredEvent[]>
  /** The events of `$all` before a position, or before its end, newest first; fewer than `maxCount` only when there are no more. */
  readonly readBefore: (position: Position | undefined, maxCount: number) => Promise<readonly StoredEvent[]>
  /** The first event of these categories after a position. */
  readonly eventAfter: (categories: readonly string[], position: Position) => Promise<StoredEvent | undefined>
  /** The uuid of this store, the same for every client; the first client assigns it, and a restore assigns a new one. */
  readonly storeId: () => Promise<string>
  /** Subscribes to events of these categories after a position. {@link startSubscription} adds batches and reconnects. */
  readonly subscribe: (
    categories: readonly string[],
    after: Position,
    handlers: SubscriptionHandlers,
  ) => OpenSubscription
  /**
   * True when metadata that can hide events of the stream was written since the first call. The store still accepts
   * appends at a cached revision; only a read from the start shows whether events are missing.
   */
  readonly mayHideEvents: (stream: string) => boolean
  readonly close: () => Promise<void>
}

const prefixesOf = (categories: readonly string[]) => categories.map((category) => `${category}-`)

/** Refuses the setting that makes the client return wrong answers. */
const checked = (url: string): string => {
  if (/throwOnAppendFailure=false/i.test(url))
    throw new Error('EVENTSTORE_URL must not say throwOnAppendFailure=false: the client then invents revisions.')
  return url
}

/**
 * Connects to EventStoreDB. Nothing is sent before the first call.
 * @param url a connection string, `esdb://host:2113?tls=false` or `esdb+discover://...`
 */
export const connectEventStore = ({ url, logger }: { url: string; logger: Logger }): EventStore => {
  /** Shared by all reads, until one of them is not answered in time. */
  let client = newConnection(checked(url))
  let closed = false
  let metadata: MetadataWatch | undefined
  const appender = shareAppender(url, logger)
  type ClientRead = AsyncIterable<{ event?: ClientEvent | AllStreamRecordedEvent }> & { cancel(): Promise<void> }

  const readOnce = async (open: (from: EventStoreDBClient) => ClientRead) => {
    const current = client
    const read = open(current)
    let late = false
    const timer = setTimeout(() => {
      late = true
      if (client === current) {
        client = newConnection(url)
        // Other reads on the old connection have ended by then.
        setTimeout(() => void closeChannel(current), readTimeoutMs).unref()
      }
      void read.cancel()
    }, readTimeoutMs)
    try {
      const events: (ClientEvent | AllStreamRecordedEvent)[] = []
      for await (const { event } of read) if (event) events.push(event)
      // The client ends an interrupted read like a complete one.
      if (late || closed) throw new StoreUnavailable(new Error('A read was cut off: too slow, or closed under it.'))
      return events
    } finally {
      clearTimeout(timer)
    }
  }

  /** Only for calls that may be repeated. */
  const throughOutages = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await call()
      } catch (error) {
        if (error instanceof StreamDeletedError) throw new StreamDeleted()
        if (!isOutage(error) && !(error instanceof StoreUnavailable)) throw error
        if (closed || tries === readTriesMax) throw new StoreUnavailable(error)
        await waitAfter(tries, readBackoff)
      }
    }
  }

  const read = (open: (from: EventStoreDBClient) => ClientRead) => throughOutages(() => readOnce(open))

  const head = async (): Promise<Position> => {
    const [last] = await read((from) =>
      from.readAll({ ...ofLeader, direction: BACKWARDS, fromPosition: END, maxCount: 1 }),
    )
    return isKnown(last?.position) ? last.position : beginning
  }

  const readDirected = async (
    stream: string,
    direction: typeof FORWARDS | typeof BACKWARDS,
    fromRevision: bigint | typeof END,
    maxCount: number,
  ): Promise<readonly StoredEvent[]> => {
    let isNotFound = () => false
    const events = await read((client) => {
      const opened = client.readStream(stream, { ...ofLeader, direction, fromRevision, maxCount })
      isNotFound = noticeNotFound(opened)
      return opened
    })
    if (isNotFound()) return noSuchStream
    const standIn = events.every((event) => isKnown(event.position)) ? beginning : await head()
    return events.map((event) => toStoredEvent(event, isKnown(event.position) ? event.position : standIn))
  }

  const readStream: EventStore['readStream'] = (stream, from, maxCount) =>
    readDirected(stream, FORWARDS, from, maxCount)

  const tombstone: EventStore['tombstone'] = async (stream, evenIfMissing = false) => {
    const exists = async (name: string) => (await readStream(name, 0n, 1)) !== noSuchStream
    // Any revision: all events are deleted.
    const options = { ...ofLeader, expectedRevision: ANY, deadline: readTimeoutMs } as const
    try {
      // The store would tombstone any name. A soft-deleted stream still has metadata.
      if (!evenIfMissing && !(await exists(stream)) && !(await exists(`$$${stream}`))) return false
      await throughOutages(() => client.tombstoneStream(stream, options))
    } catch (error) {
      // Also when an earlier attempt succeeded without an answer.
      if (!(error instanceof StreamDeleted)) throw error
    }
    return true
  }

  const append: EventStore['append'] = async (stream, events, expectedRevision, deadlineMs) => {
    const reply = await appender.append(stream, events, expectedRevision, deadlineMs)
    if (reply.outcome === 'deleted') throw new StreamDeleted()
    if (reply.outcome === 'unknown') throw new StoreUnavailable(reply.error)
    if (reply.outcome === 'conflict') return reply
    return { ...reply, position: isKnown(reply.position) ? reply.position : await head() }
  }

  const eventAt: EventStore['eventAt'] = async (position) => {
    const [event] = await read((from) =>
      from.readAll({ ...ofLeader, direction: FORWARDS, fromPosition: position, maxCount: 1 }),
    )
    return event && isKnown(event.position) && comparePosition(event.position, position) === 0
      ? toStoredEvent(event, event.position)
      : undefined
  }

  const readAfter: EventStore['readAfter'] = async (position, maxCount) => {
    // The server begins with the event at the position, if there is one.
    const fromPosition = comparePosition(position, beginning) === 0 ? START : position
    const events = await read((from) =>
      from.readAll({ ...ofLeader, direction: FORWARDS, fromPosition, maxCount: maxCount + 1 }),
    )
    const known = events.flatMap((event) => (isKnown(event.position) ? [toStoredEvent(event, event.position)] : []))
    return known.filter((event) => comparePosition(event.position, position) > 0).slice(0, maxCount)
  }

  const readBefore: EventStore['readBefore'] = async (position, maxCount) => {
    const fromPosition = position ?? END
    const events = await read((from) => from.readAll({ ...ofLeader, direction: BACKWARDS, fromPosition, maxCount }))
    return events.flatMap((event) => (isKnown(event.position) ? [toStoredEvent(event, event.position)] : []))
  }

  const eventAfter: EventStore['eventAfter'] = (categories, position) =>
    new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer)
        probe.close()
        act()
      }
      const timer = setTimeout(
        () => settle(() => reject(new StoreUnavailable(new Error(`No answer within ${searchTimeoutMs} ms.`)))),
        searchTimeoutMs,
      )
      const handlers: SubscriptionHandlers = {
        onEvent: (event) => settle(() => resolve(event)),
        onCheckpoint: () => undefined,
        onCaughtUp: () => settle(() => resolve(undefined)),
        onEnd: (error) => settle(() => reject(new StoreUnavailable(error))),
      }
      const probe = openSubscription(url, prefixesOf(categories), position, handlers, ofLeader)
    })

  return {
    append,
    readStream,
    readStreamBack: (stream, from, maxCount) => readDirected(stream, BACKWARDS, from, maxCount),
    tombstone,
    head,
    eventAt,
    readAfter,
    readBefore,
    eventAfter,
    storeId: () => storeName({ readStream, append }),
    subscribe: (categories, after, handlers) => openSubscription(url, prefixesOf(categories), after, handlers),
    mayHideEvents: (stream) => {
      metadata ??= watchMetadata(url, head, logger)
      return metadata.mayHideEvents(stream)
    },
    close: async () => {
      closed = true
      metadata?.close()
      await Promise.all([appender.close(), client.dispose()])
      void closeChannel(client)
    },
  }
}
