// A command as it is dispatched: what is wanted, by whom, and what makes a repeat the same; and its answer as text.
import { formatPosition, type Position } from '../position.ts'

export type CommandRequest<Command, State = unknown> = {
  /** Of the thing whose stream this is. */
  readonly id: string
  readonly command: Command
  /** Makes a repeat the same command. */
  readonly commandId: string
  /** Of what the caller asked for; the same commandId with another hash is refused. */
  readonly requestHash: string
  /** Who dispatches, for the record. */
  readonly actor: string
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
  /** The revision the caller has seen; when the stream stands elsewhere the answer is `revision_mismatch`. */
  readonly expectedRevision?: bigint | undefined
  /** By `performance.now()`: of whoever waits for more than this; the handler's own limit is never exceeded. */
  readonly giveUpAtMs?: number | undefined
  /**
   * Throws when the state shows that this is not the caller's to do. It comes first: neither the stream's revision nor
   * a rule's refusal is told to who may not know of the stream.
   */
  readonly guard?: ((state: State) => void) | undefined
}

/** The answer as HTTP gives it. */
export const answerInText = ({
  id,
  revision,
  position,
}: {
  readonly id: string
  readonly revision: bigint
  readonly position: Position
}) => ({ id, revision: String(revision), position: formatPosition(position) })
