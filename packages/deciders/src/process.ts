// A process: a decider on its own stream. Events of other streams are its inputs, and its state says which commands come next.
import type { DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'
import type { EventStreamType, StreamType } from './stream-type.ts'

/** An event as an input gets it. */
export type InputEvent<Event extends DomainEvent> = Event & {
  /** By the event store's clock. */
  readonly recordedAt: string
}

/** A command on a process's own stream. */
export type OwnCommand<Command> = { readonly id: string; readonly command: Command }

export type Input<Command = unknown> = {
  readonly stream: { readonly category: string; readonly events: EventTypes }
  readonly type: string
  /** Pure: one event always leads to the same commands. */
  readonly toCommands: (event: InputEvent<DomainEvent>) => readonly OwnCommand<Command>[]
}

/** The commands that an event of another stream, of whatever context, leads to. */
export const on = <Event extends DomainEvent, const Type extends Event['type'], Command>(
  { category, events }: EventStreamType<Event>,
  type: Type,
  toCommands: (event: InputEvent<Extract<Event, { type: Type }>>) => readonly OwnCommand<Command>[],
): Input<Command> => ({
  stream: { category, events },
  type,
  // Only events of that type come here.
  toCommands: (event) => toCommands(event as InputEvent<Extract<Event, { type: Type }>>),
})

/** The stream type of a step, whose commands only the step itself knows. */
export type AnyStreamType = StreamType<never, DomainEvent, unknown>

/**
 * A command to another stream, sent until it is answered. Its effect, or its refusal, happens once. `at` is the moment at
 * which it is sent or answered.
 */
export type Step<Own> = {
  /** Used once in the life of a process: it names the command. */
  readonly name: string
  readonly stream: AnyStreamType
  readonly id: string
  readonly command: (at: string) => unknown
  /** An instant; at once where it is not said. */
  readonly dueAt?: string
  /** @param events that the command left, also when it is answered again; only read for functions that take them */
  readonly accepted: (at: string, events: readonly DomainEvent[]) => Own
  readonly refused: (at: string, code: string) => Own
}

/** A step whose command belongs to its stream. */
export const step = <Own, Command, Event extends DomainEvent, State>(
  described: Omit<Step<Own>, 'stream' | 'command' | 'accepted'> & {
    readonly stream: StreamType<Command, Event, State>
    readonly command: (at: string) => Command
    readonly accepted: (at: string, events: readonly Event[]) => Own
  },
): Step<Own> => described as unknown as Step<Own>

export type Process<Command = never, State = never> = {
  readonly stream: StreamType<Command, DomainEvent, State>
  readonly inputs: readonly Input[]
  /** Pure; `[]` when there is nothing to do. The first that is due is done, recorded, and then this is asked again. */
  readonly next: (state: State) => readonly Step<Command>[]
  /** Codes of refusals that pass by themselves: such a step is sent again. */
  readonly transient?: readonly string[]
}

export const process = <Command, Event extends DomainEvent, State>(described: {
  readonly stream: StreamType<Command, Event, State>
  readonly inputs: readonly Input<Command>[]
  readonly next: (state: State) => readonly Step<Command>[]
  readonly transient?: readonly string[]
}): Process => described as unknown as Process
