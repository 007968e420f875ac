// Decodes a context's stored events: upcasts older shapes, refuses unknown ones.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { Upcast } from '@headwater/deciders/event-types'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import type { Position } from './position.ts'

/** An event as stored: JSON data under any type name. */
export type StoredEvent = {
  readonly id: string
  readonly stream: string
  /** Index in its stream, from 0. */
  readonly revision: bigint
  readonly position: Position
  readonly type: string
  readonly data: unknown
  readonly metadata: Readonly<Record<string, unknown>>
  readonly recordedAt: Date
}

/** The last event of a stream that was tombstoned. */
export const streamDeletedType = '$streamDeleted'

/** Records that the stream refused a step of a process, and answers repeats of the step's command. */
export const stepRefusedType = 'StepRefused'

/** True for events of the event store or the engine. No context has such types, no decider or projection sees them. */
export const isOfEngine = ({ type }: Pick<StoredEvent, 'type'>): boolean =>
  type.startsWith('$') || type === stepRefusedType

/** An event of a context, with its revision, position and time. */
export type RecordedEvent<Event extends DomainEvent> = Event & Omit<StoredEvent, 'type' | 'data'>

export type Codec<Event extends DomainEvent> = {
  /**
   * The event in today's shape; its metadata stays as stored.
   * @throws Rejection `unknown_event_type` for a type or a version of its shape that this release does not know
   */
  readonly decode: (stored: StoredEvent) => RecordedEvent<Event>
  /** A context's events among these. @throws as `decode` does */
  readonly decodeAll: (stored: readonly StoredEvent[]) => readonly RecordedEvent<Event>[]
  /** True when `decode` can read it. */
  readonly knows: (stored: Pick<StoredEvent, 'type' | 'metadata'>) => boolean
  /** The version of the type's shape in new events: the `schema` in their metadata. */
  readonly schemaOf: (type: string) => number
}

const schemaOfUnchanged = 1

/** Type and version of an event's shape as one text. */
export const schemaText = ({
  type,
  metadata: { schema = schemaOfUnchanged },
}: Pick<StoredEvent, 'type' | 'metadata'>) => `${type} ${schema}`

export const unknownEventType = ({
  type,
  revision,
  metadata: { schema },
}: Pick<StoredEvent, 'type' | 'revision' | 'metadata'>): Rejection =>
  new Rejection('unknown_event_type', 'This needs a newer version of the service.', {
    type,
    schema,
    revision: String(revision),
  })

/** Makes a codec from a stream type's events with their upcasts. */
export const createCodec = <Event extends DomainEvent>({
  events: { schemas, upcasts },
}: Omit<EventStreamType<Event>, 'category'>): Codec<Event> => {
  const known = new Map(
    Object.keys(schemas).map((type) => {
      const { to = schemaOfUnchanged, from = {} } = upcasts[type as Event['type']] ?? {}
      const others = Object.entries(from).map(([schema, upcast]): [unknown, Upcast] => [Number(schema), upcast])
      return [type, { to, from: new Map(others) }]
    }),
  )
  const decode = (stored: StoredEvent) => {
    const { schema = schemaOfUnchanged } = stored.metadata
    const shapes = known.get(stored.type)
    // Not validated again: the schemas check every event before it is written.
    if (schema === shapes?.to) return stored as RecordedEvent<Event>
    const upcast = shapes?.from.get(schema)
    if (!upcast) throw unknownEventType(stored)
    return { ...stored, data: upcast(stored.data as never) } as RecordedEvent<Event>
  }
  return {
    decode,
    decodeAll: (stored) => stored.filter((event) => !isOfEngine(event)).map(decode),
    schemaOf: (type) => known.get(type)?.to ?? schemaOfUnchanged,
    knows: ({ type, metadata: { schema = schemaOfUnchanged } }) => {
      const shapes = known.get(type)
      return shapes !== undefined && (schema === shapes.to || shapes.from.has(schema))
    },
  }
}
