// Writes the audit trail of refusals and views: in batches, one stream per day, with a bounded buffer while the store is away.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuditEvent, type AuditedActor, auditedActor, auditStream } from '@headwater/deciders/audit/audit-events'
import type { Actor } from '@headwater/deciders/policy'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { v5 as uuidV5 } from 'uuid'
import { type Backoff, waitAfter } from './backoff.ts'
import { type EventStore, type EventToAppend, StoreUnavailable, StreamDeleted } from './client/client.ts'
import { createCodec } from './codec.ts'
import { streamName } from './stream-name.ts'

const bufferEventsMax = 5_000
const bufferBytesMax = 4 * 1024 * 1024
const batchEventsMax = 200
/** EventStoreDB accepts 1 MiB per append; envelopes are not counted here. */
const batchBytesMax = 256 * 1024
/** Lets a burst become one append. */
const gatherMs = 50
const outageBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }
/** Limit of the last flush of a stopping process; below the time in which it has to end. */
const stopTimeoutMs = 5_000
/** Limit for callers of `record`. */
const recordTimeoutMs = 5_000
/** Period in which `noteOnce` records an event once, such as a list that is polled. */
const onceMs = 60 * 60 * 1_000
const onceRememberedMax = 10_000
/** Limit per actor, process and hour, so that refused requests cannot fill the trail. */
const refusalsListedMax = 100

const tooManyRequests = 429
const secondsADay = 86_400
const metadataNamespace = '6b6d4f57-6f0c-4b0e-9b7b-1f7a3f0f7d11'

const { schemaOf } = createCodec(auditStream)

/** The request that an event comes from, for its metadata. */
export type AuditOrigin = { readonly traceparent: string }

/** A refused request and its actor. */
export type Refused = Omit<Extract<AuditEvent, { type: 'RequestRefused' }>['data'], 'actor' | 'at'> &
  AuditOrigin & { readonly actor: Actor }

type AuditLoss = 'buffer full' | 'stopped'

/** The metrics of the trail. */
export type AuditMetrics = {
  readonly counter: (name: string, help: string) => (labels?: { readonly reason: AuditLoss }) => void
  readonly gauge: (name: string, help: string, read: () => readonly { readonly value: number }[]) => void
}

export type Audit = {
  /** Buffers an event, which is written soon, or counted as lost when the buffer is full. Never waits, never throws. */
  readonly note: (event: AuditEvent, origin: AuditOrigin) => void
  /** Like `note`, but ignores an event that the same actor caused within the hour. */
  readonly noteOnce: (event: AuditEvent, origin: AuditOrigin) => void
  /** Records a refusal of a known actor; above the hourly limit only a marker that more were suppressed. */
  readonly refused: (refused: Refused) => void
  /** Records an operation that has no event of its own. */
  readonly done: (done: Done) => void
  /**
   * Resolves when the event is written.
   * @throws StoreUnavailable when that takes too long; the event may still be written
   */
  readonly record: (event: AuditEvent, origin: AuditOrigin) => Promise<void>
  /** Number of buffered events. */
  readonly waiting: () => number
  /** Writes the buffered events within a time limit; counts the rest as lost. */
  readonly stop: () => Promise<void>
}

/** An operation and its actor. */
export type Done = Omit<Extract<AuditEvent, { type: 'OperationDone' }>['data'], 'actor' | 'at'> &
  AuditOrigin & { readonly actor: Actor }

type Noted = { readonly day: string; readonly bytes: number; readonly event: EventToAppend }

const noted = ({ type, data }: AuditEvent, { traceparent }: AuditOrigin): Noted => {
  const [, traceId] = traceparent.split('-')
  const metadata = { $correlationId: traceId, actor: data.actor.sub, traceparent, schema: schemaOf(type) }
  const bytes = Buffer.byteLength(JSON.stringify(data))
  // The ID stays the same when the event is sent again: store and read model keep it once.
  return { day: data.at.slice(0, 10), bytes, event: { id: randomUUID(), type, data, metadata } }
}

/** The first events of the buffer that fit one append: of one day, within the limits. */
const batchOf = (first: Noted, buffer: readonly Noted[]): readonly Noted[] => {
  let bytes = 0
  const end = buffer.findIndex((next, n) => {
    bytes += next.bytes
    return n > 0 && (n === batchEventsMax || bytes > batchBytesMax || next.day !== first.day)
  })
  return buffer.slice(0, end < 0 ? buffer.length : end)
}

export const startAudit = ({
  store,
  logger,
  days,
  metrics,
}: {
  readonly store: Pick<EventStore, 'append'>
  readonly logger: Logger
  /** Retention of events. */
  readonly days: number
  readonly metrics: AuditMetrics
}): Audit => {
  const lost = metrics.counter('audit_events_lost_total', 'Audit events that were given up, by reason.')
  const unlisted = metrics.counter('audit_refusals_unlisted_total', 'Refusals of those who had too many to list.')
  const buffer: Noted[] = []
  const seen = new LRUCache<string, true>({ max: onceRememberedMax, ttl: onceMs })
  const refusals = new LRUCache<string, { count: number }>({ max: onceRememberedMax, ttl: onceMs })
  const stopping = new AbortController()
  const flushed = new AbortController()
  let bytes = 0
  let limitedStream: string | undefined
  /** Number of deleted streams per day. */
  const deletedStreams = new Map<string, number>()
  let isLosing = false
  let writing: Promise<void> | undefined

  /** Once per stream: all processes write the same setting, and the first one wins. */
  const limitAge = async (stream: string, seed: string) => {
    if (limitedStream === stream) return
    const age = { $maxAge: days * secondsADay }
    const event = { id: uuidV5(`${seed}/${days}`, metadataNamespace), type: '$metadata', data: age, metadata: {} }
    await store.append(`$$${stream}`, [event], 'no_stream')
    limitedStream = stream
  }

  const append = async (day: string, events: readonly EventToAppend[]): Promise<void> => {
    const deleted = deletedStreams.get(day) ?? 0
    const id = deleted === 0 ? day : `${day}.${deleted}`
    const stream = streamName('audit', id)
    try {
      await limitAge(stream, id)
      // Any revision: all processes write to the stream of the day, and no event depends on earlier ones.
      const { outcome } = await store.append(stream, events, 'any')
      if (outcome === 'conflict') throw new Error('The store took events of a new batch for those of another.')
    } catch (error) {
      if (!(error instanceof StreamDeleted)) throw error
      logger.error({ stream }, 'the stream of a day of the audit trail was deleted; going on in another')
      deletedStreams.set(day, deleted + 1)
      await append(day, events)
    }
  }

  /** Sends the identical batch until it is written: the store recognizes repeats by their IDs. */
  const persist = async (day: string, batch: readonly Noted[]): Promise<'written' | 'given up'> => {
    const events = batch.map(({ event }) => event)
    for (let failures = 1; !flushed.signal.aborted; failures++) {
      const isLast = stopping.signal.aborted
      try {
        await append(day, events)
        return 'written'
      } catch (error) {
        logger.warn({ err: error, failures, waiting: buffer.length }, 'the audit trail cannot be written; trying again')
        if (isLast) break
        await waitAfter(failures, outageBackoff, stopping.signal)
      }
    }
    return 'given up'
  }

  const write = async () => {
    // A stop does not wait for the rest of a burst.
    await sleep(gatherMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    for (let first = buffer[0]; first; first = buffer[0]) {
      const batch = batchOf(first, buffer)
      if ((await persist(first.day, batch)) === 'given up') return
      isLosing = false
      buffer.splice(0, batch.length)
      bytes -= batch.reduce((sum, one) => sum + one.bytes, 0)
    }
    writing = undefined
  }

  const note: Audit['note'] = (event, origin) => {
    const one = noted(event, origin)
    if (stopping.signal.aborted || buffer.length >= bufferEventsMax || bytes + one.bytes > bufferBytesMax) {
      lost({ reason: stopping.signal.aborted ? 'stopped' : 'buffer full' })
      if (!isLosing) logger.error({ waiting: buffer.length }, 'the audit trail loses events: its buffer is full')
      isLosing = true
      return
    }
    buffer.push(one)
    bytes += one.bytes
    writing ??= write()
  }

  const noteOnce: Audit['noteOnce'] = (event, origin) => {
    const key = JSON.stringify([event.type, { ...event.data, at: undefined }])
    if (seen.has(key)) return
    seen.set(key, true)
    note(event, origin)
  }

  /** Number of refusals within the hour that began with the first, this one included. */
  const refusalsOf = ({ kind, sub }: AuditedActor): number => {
    const key = `${kind} ${sub}`
    const known = refusals.get(key) ?? { count: 0 }
    if (known.count === 0) refusals.set(key, known)
    known.count += 1
    return known.count
  }

  metrics.gauge('audit_events_waiting', 'Audit events that wait to be written.', () => [{ value: buffer.length }])
  return {
    note,
    noteOnce,
    refused: ({ actor: asking, traceparent, ...refused }) => {
      const actor = auditedActor(asking)
      const at = new Date().toISOString()
      if (!actor) return
      // A client over its rate limit stays over it: one entry per hour is enough.
      if (refused.status === tooManyRequests)
        return noteOnce({ type: 'RequestRefused', data: { actor, at, ...refused, resource: null } }, { traceparent })
      const count = refusalsOf(actor)
      if (count <= refusalsListedMax) note({ type: 'RequestRefused', data: { actor, at, ...refused } }, { traceparent })
      else unlisted()
      if (count === refusalsListedMax) note({ type: 'RefusalsUnlisted', data: { actor, at } }, { traceparent })
    },
    done: ({ actor: doing, traceparent, ...done }) => {
      const actor = auditedActor(doing)
      if (actor)
        note({ type: 'OperationDone', data: { actor, at: new Date().toISOString(), ...done } }, { traceparent })
    },
    record: async (event, origin) => {
      const one = noted(event, origin)
      const late = Promise.withResolvers<never>()
      const timer = setTimeout(() => late.reject(new StoreUnavailable(new Error('too slow'))), recordTimeoutMs)
      try {
        await Promise.race([append(one.day, [one.event]), late.promise])
      } finally {
        clearTimeout(timer)
      }
    },
    waiting: () => buffer.length,
    stop: async () => {
      stopping.abort()
      const late = new AbortController()
      await Promise.race([writing, sleep(stopTimeoutMs, undefined, { signal: late.signal }).catch(() => undefined)])
      late.abort()
      flushed.abort()
      // Events sent without an answer may be written: they count as lost, rather than as written.
      for (const _ of buffer.splice(0)) lost({ reason: 'stopped' })
    },
  }
}
