// One category of streams: how its names, its events and its decider belong together. The engine takes this and nothing else.
import type { Decider, DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'

export type StreamType<Command, Event extends DomainEvent, State> = {
  /** The text before the first `-` of the streams' names. Stored: it never changes. */
  readonly category: string
  /** All that the streams may hold. */
  readonly events: EventTypes<Event['type']>
  readonly decider: Decider<Command, Event, State>
}

/** What reading a category takes: also of one that no decider writes. */
export type EventStreamType<Event extends DomainEvent = DomainEvent> = {
  readonly category: string
  readonly events: EventTypes<Event['type']>
  /** Says which events they are. */
  readonly decider?: { readonly evolve: (state: never, event: Event) => unknown }
}

export const streamType = <Command, Event extends DomainEvent, State>(
  type: StreamType<Command, Event, State>,
): StreamType<Command, Event, State> => type
