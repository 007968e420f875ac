// The interface of every reader of a read model, in SQLite and in Postgres.
import type { Position } from '@headwater/eventstore/position'
import type { CompiledQuery } from 'kysely'
import type { Changes, Snapshot } from './changes.ts'

type MaybePromise<T> = T | Promise<T>

/** A query that is compiled and not yet run. */
export type Query<R> = CompiledQuery<R>

export type Reader = {
  /**
   * Runs one query in a read transaction.
   * @throws Rejection `read_model_not_ready`, `read_model_unavailable`
   */
  readonly rows: <R>(query: Query<R>) => MaybePromise<Snapshot<R[]>>
  /** True once the checkpoint has reached `position`, false when it has not within `timeoutMs`. */
  readonly waitFor: (position: Position, timeoutMs: number) => Promise<boolean>
  /** About `limit` changes after a token (a batch is never cut), or 'snapshot needed' when the feed does not have them. */
  readonly changesSince: (token: string, limit: number) => MaybePromise<Changes | 'snapshot needed'>
  /** Calls `listener` soon after every commit, once for several. Returns a function that stops that. */
  readonly onCommit: (listener: () => void) => () => void
}
