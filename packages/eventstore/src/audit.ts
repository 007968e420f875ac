// Writes down what people were refused and what they looked at: in batches, a stream a day, bounded also while the store is away.
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
/** EventStoreDB takes 1 MiB an append; envelopes come on top of what is counted here. */
const batchBytesMax = 256 * 1024
/** For a burst to become one append. */
const gatherMs = 50
const outageBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }
/** For the last flush of a process that was told to stop; below what it is given to end. */
const stopTimeoutMs = 5_000
/** For an event that somebody waits for. */
const recordTimeoutMs = 5_000
/** What is written down once, such as a list that is asked for again and again, is written down again after this. */
const onceMs = 60 * 60 * 1_000
const onceRememberedMax = 10_000
/** Of one actor and process within an hour; nobody fills the trail by asking for what they may not. */
const refusalsListedMax = 100

const tooManyRequests = 429
const secondsADay = 86_400
const metadataNamespace = '6b6d4f57-6f0c-4b0e-9b7b-1f7a3f0f7d11'

const { schemaOf } = createCodec(auditStream)

/** What an event's metadata says about the request it comes from. */
export type AuditOrigin = { readonly traceparent: string }

/** What a request was refused for, and to whom. */
export type Refused = Omit<Extract<AuditEvent, { type: 'RequestRefused' }>['data'], 'actor' | 'at'> &
  AuditOrigin & { readonly actor: Actor }

type AuditLoss = 'buffer full' | 'stopped'

/** Where the trail says how it is. */
export type AuditMetrics = {
  readonly counter: (name: string, help: string) => (labels?: { readonly reason: AuditLoss }) => void
  readonly gauge: (name: string, help: string, read: () => readonly { readonly value: number }[]) => void
}

export type Audit = {
  /** Takes note; the event is written soon, or counted as lost when the buffer is full. Never waits, never throws. */
  readonly note: (event: AuditEvent, origin: AuditOrigin) => void
  /** As `note`, but nothing when the same actor's same event was noted within the hour. */
  readonly noteOnce: (event: AuditEvent, origin: AuditOrigin) => void
  /** Takes note of a refusal, unless nobody knows of whom; of those who are refused again and again, only that they are. */
  readonly refused: (refused: Refused) => void
  /** Takes note of what was done and leads to no event of its own. */
  readonly done: (done: Done) => void
  /**
   * Resolves when the event is written.
   * @throws StoreUnavailable when that takes too long; the event may still come to be written
   */
  readonly record: (event: AuditEvent, origin: AuditOrigin) => Promise<void>
  /** How many events wait to be written. */
  readonly waiting: () => number
  /** Writes what waits, bounded in time; what cannot be written is counted as lost. */
  readonly stop: () => Promise<void>
}

/** What was done, by whom. */
export type Done = Omit<Extract<AuditEvent, { type: 'OperationDone' }>['data'], 'actor' | 'at'> &
  AuditOrigin & { readonly actor: Actor }

type Noted = { readonly day: string; readonly bytes: number; readonly event: EventToAppend }

const noted = ({ type, data }: AuditEvent, { traceparent }: AuditOrigin): Noted => {
  const [, traceId] = traceparent.split('-')
  const metadata = { $correlationId: traceId, actor: data.actor.sub, traceparent, schema: schemaOf(type) }
  const bytes = Buffer.byteLength(JSON.stringify(data))
  // The id stays when the event is sent again: the store, and the read model after it, keep it once.
  return { day: data.at.slice(0, 10), bytes, event: { id: randomUUID(), type, data, metadata } }
}

/** The events at the front that are one append: of one day, and not too much. */
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
  /** How long a day's events are kept. */
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

  /** Once per stream: all processes write the same setting, otherwise the first one wins. */
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
      // Any revision: all processes write to the stream of the day, and no event rests on what stands before it.
      const { outcome } = await store.append(stream, events, 'any')
      if (outcome === 'conflict') throw new Error('The store took events of a new batch for those of another.')
    } catch (error) {
      if (!(error instanceof StreamDeleted)) throw error
      logger.error({ stream }, 'the stream of a day of the audit trail was deleted; going on in another')
      deletedStreams.set(day, deleted + 1)
      await append(day, events)
    }
  }

  /** The identical batch, until it is written: the store then knows it by its ids. */
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
    // A stop does not wait for a burst to end.
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

  /** How many there are within the hour that began with the first, with this one. */
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
      // Whoever is too fast is so again and again: that they are is worth knowing, each time is not.
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
      // Of what was sent and not answered nobody knows: it counts as lost, rather than as written.
      for (const _ of buffer.splice(0)) lost({ reason: 'stopped' })
    },
  }
}
