// Reads a context's events from what the store keeps: other shapes than today's are upcast, unknown ones refused.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { Upcast } from '@headwater/deciders/event-types'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import type { Position } from './position.ts'

/** An event as the store gave it: JSON data of whatever type name it was written with. */
export type StoredEvent = {
  readonly id: string
  readonly stream: string
  /** Place in its stream, from 0. */
  readonly revision: bigint
  readonly position: Position
  readonly type: string
  readonly data: unknown
  readonly metadata: Readonly<Record<string, unknown>>
  readonly recordedAt: Date
}

/** The last event of a stream that was tombstoned. */
export const streamDeletedType = '$streamDeleted'

/** Says that the stream refused a step of a process. From then on it answers the step's command. */
export const stepRefusedType = 'StepRefused'

/** Whether the event store or the engine wrote it. No context has such types, and no decider or projection sees them. */
export const isOfEngine = ({ type }: Pick<StoredEvent, 'type'>): boolean =>
  type.startsWith('$') || type === stepRefusedType

/** An event of a context, with where it stands and when it was written. */
export type RecordedEvent<Event extends DomainEvent> = Event & Omit<StoredEvent, 'type' | 'data'>

export type Codec<Event extends DomainEvent> = {
  /**
   * The event in today's shape; its metadata stays as it was stored.
   * @throws Rejection `unknown_event_type`, of a type or a version of its shape that this release does not know: it must
   *   not guess what the event means
   */
  readonly decode: (stored: StoredEvent) => RecordedEvent<Event>
  /** A context's events among these. @throws as `decode` does */
  readonly decodeAll: (stored: readonly StoredEvent[]) => readonly RecordedEvent<Event>[]
  /** Whether `decode` reads it. */
  readonly knows: (stored: Pick<StoredEvent, 'type' | 'metadata'>) => boolean
  /** The version of the type's shape that is written: the `schema` in an event's metadata. */
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

/** The one way from what a stream type says of its events to what reads them: with the types come the upcasts. */
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
    // The schemas guard what is written; what the store holds of a known shape has passed them.
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
