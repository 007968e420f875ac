// How Postgres stores the checkpoint of a read model or of the jobs.
import { deadLettersFromText, deadLettersText } from './parked.ts'
import type { Checkpoint, Step } from './sink.ts'

/** Read with the types `bigints`. */
export type CheckpointRow = {
  readonly commit_position: bigint
  readonly prepare_position: bigint
  readonly event_id: string | null
  readonly event_commit: bigint
  readonly event_prepare: bigint
  readonly store_id: string
  readonly build?: string
  readonly epoch: bigint
  /** Missing, like the next one, until a writer of this version has run. */
  readonly dead_letters?: string
  readonly replaced_texts?: bigint
}

export const checkpointOf = (row: CheckpointRow): Checkpoint => {
  const { event_id: id, event_commit: commit, event_prepare: prepare } = row
  return {
    position: { commit: row.commit_position, prepare: row.prepare_position },
    lastEvent: id === null ? undefined : { id, position: { commit, prepare } },
    storeId: row.store_id,
    build: row.build ?? '',
    epoch: row.epoch,
    deadLetters: deadLettersFromText(row.dead_letters),
    replacedTexts: Number(row.replaced_texts ?? 0n),
  }
}

/** Moves the checkpoint of a step, if the stored one is where the step begins. The statement may go on after this. */
export const moveCheckpoint = (table: string): string => `update ${table}
  set commit_position = $1, prepare_position = $2, event_id = $3, event_commit = $4, event_prepare = $5,
    dead_letters = coalesce($6, dead_letters), replaced_texts = $7
  where commit_position = $8 and prepare_position = $9 and epoch = $10 and dead_letters = $11`

export const moveValues = ({ from, to }: Pick<Step, 'from' | 'to'>): readonly unknown[] => [
  to.position.commit,
  to.position.prepare,
  to.lastEvent?.id,
  to.lastEvent?.position.commit,
  to.lastEvent?.position.prepare,
  // Unchanged letters are not written again.
  to.deadLetters === from.deadLetters ? undefined : deadLettersText(to.deadLetters),
  to.replacedTexts,
  from.position.commit,
  from.position.prepare,
  from.epoch,
  deadLettersText(from.deadLetters),
]
