// Turns a context's events into what the store keeps and back; old shapes are upcast, unknown types refused.
import { type DomainEvent, Rejection } from '@headwater/deciders/decider'
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

/** An event of a context, with where it stands and when it was written. */
export type RecordedEvent<Event extends DomainEvent> = Event & Omit<StoredEvent, 'type' | 'data'>

/** Turns the data of an old shape into that of today. Written beside the decider. */
export type Upcast = (data: never) => object

export type Codec<Event extends DomainEvent> = {
  /** @throws Rejection `unknown_event_type`: this version must not guess what the event means. */
  readonly decode: (stored: StoredEvent) => RecordedEvent<Event>
  readonly knows: (type: string) => boolean
}

/** A stream holds an event that only a newer version of this service understands. */
export const unknownEventType = (stored: Pick<StoredEvent, 'type' | 'stream' | 'revision'>): Rejection =>
  new Rejection('unknown_event_type', 'This needs a newer version of the service.', {
    type: stored.type,
    revision: String(stored.revision),
  })

/**
 * @param types the event types of the context, as its schemas list them
 * @param upcasts by event type, what brings data of an older shape to today's
 */
export const createCodec = <Event extends DomainEvent>(
  types: Readonly<Record<Event['type'], unknown>>,
  upcasts: Readonly<Record<string, Upcast>> = {},
): Codec<Event> => {
  const known = new Map<string, Upcast | undefined>(Object.keys(types).map((type) => [type, upcasts[type]]))
  const knows = (type: string): type is Event['type'] => known.has(type)
  return {
    knows,
    decode: (stored) => {
      if (!knows(stored.type)) throw unknownEventType(stored)
      const upcast = known.get(stored.type)
      const event = upcast ? { ...stored, data: upcast(stored.data as never) } : stored
      // The schemas guard what is written; what the store holds of a known type has passed them.
      return event as RecordedEvent<Event>
    },
  }
}
