// The parts of every decider: commands, rejections, events and state.

/** A command that a business rule refuses. `code` is part of the API; `details` holds facts that the caller may see. */
export class Rejection extends Error {
  override readonly name = 'Rejection'
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.code = code
    this.details = details
  }
}

/** Minimal shape of a domain event: a type from its context's list and plain JSON data. */
export type DomainEvent = { readonly type: string; readonly data: object }

/**
 * Pure business rules of one stream (Chassaing's Decider, 2021).
 * `decide` returns the events of a command, `[]` when it is already done, or throws a {@link Rejection}.
 * `evolve` never fails. Time, ids and outside facts come with the command.
 */
export type Decider<Command, Event extends DomainEvent, State> = {
  readonly initialState: State
  readonly decide: (command: Command, state: State) => readonly Event[]
  readonly evolve: (state: State, event: Event) => State
  readonly isTerminal: (state: State) => boolean
}

/** The state after `events`, oldest first. */
export const fold = <Event extends DomainEvent, State>(
  decider: Pick<Decider<never, Event, State>, 'evolve'>,
  state: State,
  events: readonly Event[],
): State => events.reduce(decider.evolve, state)
