// Defines a process: a decider on its own stream, with events of other streams as inputs, whose state determines its next commands.
import type { DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'
import type { EventStreamType, StreamType } from './stream-type.ts'

/** An event as passed to an input. */
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

/** Maps an event type of any stream type to commands of the process. */
export const on = <Event extends DomainEvent, const Type extends Event['type'], Command>(
  { category, events }: EventStreamType<Event>,
  type: Type,
  toCommands: (event: InputEvent<Extract<Event, { type: Type }>>) => readonly OwnCommand<Command>[],
): Input<Command> => ({
  stream: { category, events },
  type,
  // The engine passes only events of that type.
  toCommands: (event) => toCommands(event as InputEvent<Extract<Event, { type: Type }>>),
})

/** A stream type without its command type. */
export type AnyStreamType = StreamType<never, DomainEvent, unknown>

/**
 * A command to another stream, sent until it is answered. Its effect, or its refusal, happens once. `at` is the moment of
 * sending or of the answer.
 */
export type Step<Own> = {
  /** Unique within a process: it identifies the command. */
  readonly name: string
  readonly stream: AnyStreamType
  readonly id: string
  readonly command: (at: string) => unknown
  /** An instant; at once by default. */
  readonly dueAt?: string
  /** @param events of the command, the same for a repeat; read only for functions with this parameter */
  readonly accepted: (at: string, events: readonly DomainEvent[]) => Own
  readonly refused: (at: string, code: string) => Own
}

/** Makes a step and checks that its command fits its stream type. */
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
  /** Pure; `[]` when there is nothing to do. Called again after the answer to the first due step is recorded. */
  readonly next: (state: State) => readonly Step<Command>[]
  /** Codes of temporary refusals: such a step is sent again. */
  readonly transient?: readonly string[]
}

export const process = <Command, Event extends DomainEvent, State>(described: {
  readonly stream: StreamType<Command, Event, State>
  readonly inputs: readonly Input<Command>[]
  readonly next: (state: State) => readonly Step<Command>[]
  readonly transient?: readonly string[]
}): Process => described as unknown as Process
