// A command as it is dispatched: what is wanted, by whom, and what makes a repeat the same; and its answer as text.
import type { Rejection } from '@headwater/deciders/decider'
import { formatPosition, type Position } from '../position.ts'

export type CommandRequest<Command, State = unknown> = {
  /** Of the thing whose stream this is. */
  readonly id: string
  readonly command: Command
  /** Makes a repeat the same command. */
  readonly commandId: string
  /**
   * The command was not here before: an event that it follows from, a time, or now for one that is sent for the first
   * time. Without it the whole stream counts. Of a stream with many commands as much is read as this says; back to a time
   * at most the newest 10,000 events.
   */
  readonly notBefore?: Position | Date | 'now' | undefined
  /** Of what the caller asked for; the same commandId with another hash is refused. */
  readonly requestHash: string
  /** Who dispatches, for the record. */
  readonly actor: string
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
  /** The revision the caller has seen; when the stream stands elsewhere the answer is `revision_mismatch`. */
  readonly expectedRevision?: bigint | undefined
  /**
   * Whether a refusal by a rule is recorded in the stream: the command id is then answered by its code for good.
   * For steps of processes only, which are sent at least once and must be refused once.
   */
  readonly recordsRefusal?: ((refusal: Rejection) => boolean) | undefined
  /** By `performance.now()`: of whoever waits for more than this; the handler's own limit is never exceeded. */
  readonly giveUpAtMs?: number | undefined
  /**
   * Throws when the state shows that this is not the caller's to do. It comes first: neither the stream's revision nor
   * a rule's refusal is told to who may not know of the stream.
   */
  readonly guard?: ((state: State) => void) | undefined
}

export type CommandAnswer = {
  readonly id: string
  /** Of the command's last event; of the stream when nothing had to be written, -1 when it is empty. */
  readonly revision: bigint
  /** A read model that has reached it shows what the command did. */
  readonly position: Position
  /** The command's first event is the stream's first. */
  readonly created: boolean
  /**
   * False when the command was found recorded, or left no events. True may also be a repeat whose events are the same to
   * the last byte: the store takes it for the same append.
   */
  readonly appended: boolean
  /** Of the command's first event; undefined when it left none. */
  readonly first: bigint | undefined
}

/** The answer as HTTP gives it. */
export const answerInText = ({ id, revision, position }: Pick<CommandAnswer, 'id' | 'revision' | 'position'>) => ({
  id,
  revision: String(revision),
  position: formatPosition(position),
})
