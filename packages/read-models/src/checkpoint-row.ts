// A checkpoint as tables of Postgres keep it, whoever follows: a read model or the jobs.
import type { Checkpoint } from './sink.ts'

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
}

export const checkpointOf = (row: CheckpointRow): Checkpoint => {
  const { event_id: id, event_commit: commit, event_prepare: prepare } = row
  return {
    position: { commit: row.commit_position, prepare: row.prepare_position },
    lastEvent: id === null ? undefined : { id, position: { commit, prepare } },
    storeId: row.store_id,
    build: row.build ?? '',
    epoch: row.epoch,
  }
}
