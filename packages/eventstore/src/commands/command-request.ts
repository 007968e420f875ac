// A dispatched command with its actor, its ID and its limits; and its answer as text.
import type { Rejection } from '@headwater/deciders/decider'
import { formatPosition, type Position } from '../position.ts'

export type CommandRequest<Command, State = unknown> = {
  /** The ID of the stream, without its category. */
  readonly id: string
  readonly command: Command
  /** Identifies repeats of the command. */
  readonly commandId: string
  /**
   * The earliest point at which the command can have been recorded: the event that caused it, a time, or now for a first
   * attempt. It limits how far a stream with many commands is read back; for a time at most the newest 10,000 events.
   * Without it the whole stream is searched.
   */
  readonly notBefore?: Position | Date | 'now' | undefined
  /** Hash of the caller's input; the same commandId with another hash is refused. */
  readonly requestHash: string
  /** The caller, for the events' metadata. */
  readonly actor: string
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
  /** The revision the caller has seen; at any other revision the answer is `revision_mismatch`. */
  readonly expectedRevision?: bigint | undefined
  /**
   * True when the stream records this refusal, whose code then answers all repeats of the command. Only for steps of
   * processes, which are sent at least once and must be refused once.
   */
  readonly recordsRefusal?: ((refusal: Rejection) => boolean) | undefined
  /** By `performance.now()`; the handler's own limit applies as well. */
  readonly deadlineMs?: number | undefined
  /**
   * Throws when the state shows that the caller is not allowed. It runs first, so that such callers learn neither the
   * stream's revision nor a rule's refusal.
   */
  readonly guard?: ((state: State) => void) | undefined
}

export type CommandAnswer = {
  readonly id: string
  /** The revision of the command's last event; the stream's when it left no events, -1 when the stream is empty. */
  readonly revision: bigint
  /** A read model that has reached it includes the command. */
  readonly position: Position
  /** True when the command's first event is the stream's first. */
  readonly created: boolean
  /**
   * False when the command was found recorded, or left no events. Also true for a repeat with identical bytes, which the
   * store recognizes as the same append.
   */
  readonly appended: boolean
  /** The revision of the command's first event; undefined when it left none. */
  readonly first: bigint | undefined
}

/** The answer with its numbers as text, for HTTP. */
export const answerInText = ({ id, revision, position }: Pick<CommandAnswer, 'id' | 'revision' | 'position'>) => ({
  id,
  revision: String(revision),
  position: formatPosition(position),
})
