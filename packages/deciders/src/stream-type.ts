// Defines a category of streams with its events and its decider, for the engine.
import type { Decider, DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'

/** Snapshots of long streams: a cold process reads the newest one and later events. */
export type Snapshot<State> = {
  /** Changes with the state's shape and the meaning of `evolve`: snapshots of other versions are not read. */
  readonly version: number
  readonly everyEvents: number
  /** As JSON. */
  readonly encode: (state: State) => unknown
  readonly decode: (encoded: never) => State
}

/** The prefix of snapshot streams, before the stream's name. Stored, so it must never change. */
export const snapshotPrefix = 'snapshot_'

export type StreamType<Command, Event extends DomainEvent, State> = {
  /** The text before the first `-` of stream names. Stored, so it must never change. */
  readonly category: string
  /** The events of the streams. */
  readonly events: EventTypes<Event['type']>
  readonly decider: Decider<Command, Event, State>
  /** Only for streams without an end. */
  readonly snapshot?: Snapshot<State>
}

/** A category to read, also one without a decider. */
export type EventStreamType<Event extends DomainEvent = DomainEvent> = {
  readonly category: string
  readonly events: EventTypes<Event['type']>
  /** Only for its event type. */
  readonly decider?: { readonly evolve: (state: never, event: Event) => unknown }
}

export const streamType = <Command, Event extends DomainEvent, State>(
  type: StreamType<Command, Event, State>,
): StreamType<Command, Event, State> => {
  if (type.category.startsWith(snapshotPrefix)) throw new Error(`No category begins with ${snapshotPrefix}.`)
  return type
}
