// From events to jobs: the reactions of all contexts, as a projection whose rows are jobs.
import type { Context } from '@headwater/deciders/context'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Reaction, RequestedJob } from '@headwater/deciders/reaction'
import { type Codec, createCodec, type RecordedEvent, streamDeletedType } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { Projection } from '@headwater/projections/model/projection'
import { v5 as uuidV5 } from 'uuid'

const jobNamespace = '0f6a5d1c-3c0e-4b52-9f0b-7d8f5f6f2f61'

/** A job as it is entered. Flat and without personal data. */
export type JobRow = {
  /** Named by event, kind and key, so that these together make one job, however often the event comes. */
  readonly id: string
  readonly eventId: string
  readonly kind: string
  /** Of the event. */
  readonly stream: string
  /** JSON: what it is about. */
  readonly subject: string
  readonly traceparent: string | null
  readonly timer: string | null
  /** Jobs of one queue run one after the other. */
  readonly queue: string | null
  /** 1 when the timer keeps the moment of the job that it replaces. */
  readonly isMerged: number
  readonly runAtMs: number
  /** Of the event. */
  readonly position: string
}

export const jobRow = (
  event: Pick<RecordedEvent<DomainEvent>, 'id' | 'stream' | 'metadata' | 'recordedAt' | 'position'>,
  job: RequestedJob,
): JobRow => {
  const { merge } = job
  const { kind, key, delayMs = merge?.withinMs ?? 0, dueAt, timer, queue = null, merge: _, ...subject } = job
  const replaces = merge ? JSON.stringify(['merge', kind, merge.key]) : timer
  const named = key === undefined ? kind : `${kind}/${key}`
  return {
    id: uuidV5(`${event.id}/${named}`, jobNamespace),
    eventId: event.id,
    kind,
    stream: event.stream,
    subject: JSON.stringify(subject),
    traceparent: typeof event.metadata.traceparent === 'string' ? event.metadata.traceparent : null,
    // The queue takes names of a limited length.
    timer: replaces === undefined ? null : uuidV5(replaces, jobNamespace),
    queue,
    isMerged: merge ? 1 : 0,
    runAtMs: dueAt === undefined ? event.recordedAt.getTime() + delayMs : Date.parse(dueAt),
    position: formatPosition(event.position),
  }
}

const withCodec = (reaction: Reaction) =>
  [reaction.stream.category, { ...reaction, codec: createCodec<DomainEvent>(reaction.stream) }] as const

/** The projection of these contexts' reactions: its rows are jobs. */
export const reactionsOf = (
  contexts: readonly Context[],
): Projection<DomainEvent, { readonly consequences: JobRow }> => {
  const known = new Map(contexts.flatMap(({ reactions = [] }) => reactions.map(withCodec)))
  const reactionOf = (stream: string) => {
    const category = categoryOf(stream)
    const found = known.get(category)
    if (!found) throw new Error(`No context reacts to the category ${category}.`)
    return found
  }
  /** Types of one name in two contexts are not mixed up: the stream says which context's it is. */
  const codec: Pick<Codec<DomainEvent>, 'decode'> = {
    decode: (stored) =>
      stored.type === streamDeletedType ? { ...stored, data: {} } : reactionOf(stored.stream).codec.decode(stored),
  }
  const rowsOf = (event: RecordedEvent<DomainEvent>) => {
    const { react, reactToDeletion } = reactionOf(event.stream)
    const jobs = event.type === streamDeletedType ? reactToDeletion(idOf(event.stream)) : react(event)
    return jobs.map((job) => jobRow(event, job))
  }
  return {
    name: 'jobs',
    version: 1,
    categories: [...known.keys()],
    codec,
    tables: {
      consequences: {
        key: 'id',
        columns: {
          id: 'text',
          eventId: 'text',
          kind: 'text',
          stream: 'text',
          subject: 'text',
          traceparent: 'text or null',
          timer: 'text or null',
          queue: 'text or null',
          isMerged: 'integer',
          runAtMs: 'integer',
          position: 'text',
        },
        indexes: [],
      },
    },
    projectsDeletion: true,
    keys: (event) => ({ consequences: rowsOf(event).map(({ id }) => id) }),
    project: (event, { consequences }) => {
      for (const row of rowsOf(event)) consequences.set(row.id, row)
    },
  }
}
