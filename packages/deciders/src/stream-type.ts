// One category of streams: how its names, its events and its decider belong together. The engine takes this and nothing else.
import type { Decider, DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'

/** Snapshots of long streams. A process that knows nothing of a stream reads the newest one and what came after it. */
export type Snapshot<State> = {
  /** Changes with the state's shape and with the meaning of `evolve`: snapshots of other versions are not read. */
  readonly version: number
  readonly everyEvents: number
  /** As JSON. */
  readonly encode: (state: State) => unknown
  readonly decode: (encoded: never) => State
}

/** A stream's snapshots are in the stream of its name behind this. Stored: it never changes. */
export const snapshotPrefix = 'snapshot_'

export type StreamType<Command, Event extends DomainEvent, State> = {
  /** The text before the first `-` of the streams' names. Stored: it never changes. */
  readonly category: string
  /** All that the streams may hold. */
  readonly events: EventTypes<Event['type']>
  readonly decider: Decider<Command, Event, State>
  /** For streams that go on for ever. */
  readonly snapshot?: Snapshot<State>
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
): StreamType<Command, Event, State> => {
  if (type.category.startsWith(snapshotPrefix)) throw new Error(`No category begins with ${snapshotPrefix}.`)
  return type
}
