// Reads a read model's schema in Postgres, and is notified of every commit of its writer.
import { Rejection } from '@headwater/deciders/decider'
import { beginning, comparePosition, type Position } from '@headwater/eventstore/position'
import { listen } from '@headwater/postgres/listen'
import { bigints, inTransaction, isRefused, openPool } from '@headwater/postgres/pool'
import type { CompiledQuery } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import {
  type Changes,
  changesOf,
  type FeedEntry,
  type FeedPage,
  formatToken,
  resumeFrom,
  type Snapshot,
} from '../model/changes.ts'
import { setAsideOf } from '../model/parked.ts'
import { type ReadModel, shapeOf } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'
import { readAside } from './parked.ts'
import { readCheckpoint, schemaName } from './schema.ts'

const connectionsMax = 5
const undefinedTable = '42P01'

/** Runs queries inside one read transaction. */
export type PostgresQueries = { readonly rows: <R>(query: CompiledQuery<R>) => Promise<R[]> }

export type PostgresReader = {
  /**
   * True when the schema exists and has this version's shape.
   * @throws Rejection `read_model_unavailable`
   */
  readonly ready: () => Promise<boolean>
  /** @throws Rejection `read_model_not_ready`, `read_model_unavailable` */
  readonly checkpoint: () => Promise<Position>
  /**
   * Runs `work` in one read transaction.
   * @throws Rejection `read_model_not_ready`, `read_model_unavailable`
   */
  readonly read: <T>(work: (db: PostgresQueries) => Promise<T>) => Promise<Snapshot<T>>
  /** Runs one query in a read transaction. */
  readonly rows: <R>(query: CompiledQuery<R>) => Promise<Snapshot<R[]>>
  /** True once the checkpoint has reached `position`, false when it has not within `timeoutMs`. */
  readonly waitFor: (position: Position, timeoutMs: number) => Promise<boolean>
  /** About `limit` changes after a token (a batch is never cut), or 'snapshot needed' when the feed does not have them. */
  readonly changesSince: (token: string, limit: number) => Promise<Changes | 'snapshot needed'>
  /** Calls `listener` soon after every commit, once for several. Returns a function that stops that. */
  readonly onCommit: (listener: () => void) => () => void
  readonly close: () => Promise<void>
}

type FeedRow = {
  readonly first_change: bigint
  readonly last_change: bigint
  readonly since_commit: bigint
  readonly since_prepare: bigint
  readonly commit_position: bigint
  readonly prepare_position: bigint
  readonly changes: string
}

/** The state of the rows: their position, their origin, and the streams they lag behind. */
type Place = Pick<Checkpoint, 'position' | 'build'> & {
  readonly origin: string
  readonly parkedStreams: readonly string[]
}

const entryOf = (row: FeedRow): FeedEntry => ({
  since: { commit: row.since_commit, prepare: row.since_prepare },
  position: { commit: row.commit_position, prepare: row.prepare_position },
  changes: JSON.parse(row.changes),
})

/** The change feed in an open transaction. */
const feedIn = (client: pg.PoolClient, schema: string) => {
  const select = async (text: string, values: readonly unknown[] = []): Promise<readonly FeedRow[]> =>
    (await client.query<FeedRow>({ text, values: [...values], types: bigints })).rows
  return {
    floor: async (): Promise<Position> => {
      const [row] = await select(`select * from ${schema}.feed order by last_change limit 1`)
      return row && row.first_change > 1n ? entryOf(row).since : beginning // 1: the feed was never trimmed
    },
    page: async ({ commit, prepare }: Position, limit: number): Promise<FeedPage> => {
      const rows = await select(
        `with later as (select * from ${schema}.feed where (commit_position, prepare_position) > ($1, $2))
         select * from later where last_change < (select min(last_change) from later) + $3 order by last_change`,
        [commit, prepare, limit],
      )
      const [last] = await select(`select * from ${schema}.feed order by last_change desc limit 1`)
      return {
        entries: rows.map(entryOf),
        complete: rows.at(-1)?.last_change === last?.last_change || rows.length === 0,
      }
    },
  }
}

/** The error that a failed query throws to its caller. */
const meaningOf = (error: unknown): unknown => {
  if (error instanceof Rejection) return error
  // Connection errors have no SQLSTATE.
  if (isRefused(error)) return error
  const text = 'The read model cannot be reached. Try again in a moment.'
  return Object.assign(new Rejection('read_model_unavailable', text), { cause: error })
}

export const openPostgresReader = ({
  url,
  projection,
  logger,
}: {
  readonly url: string
  readonly projection: ReadModel
  readonly logger: Logger
}): PostgresReader => {
  const schema = schemaName(projection)
  const pool = openPool(url, connectionsMax, logger)
  const listeners = new Set<() => void>()
  const listening = listen(
    url,
    schema,
    () => {
      for (const listener of [...listeners]) listener()
    },
    logger,
  )

  const stored = async (db: pg.Pool | pg.PoolClient): Promise<Checkpoint | undefined> => {
    const found = await readCheckpoint(db, schema).catch((error) => {
      if (error instanceof pg.DatabaseError && error.code === undefinedTable) return undefined
      throw error
    })
    return found?.shape === shapeOf(projection) ? found.checkpoint : undefined
  }
  const checkpointIn = async (db: pg.Pool | pg.PoolClient): Promise<Checkpoint> => {
    const checkpoint = await stored(db)
    if (checkpoint) return checkpoint
    throw new Rejection('read_model_not_ready', 'The read model is not there yet.', { readModel: projection.name })
  }
  const asking = <T>(work: () => Promise<T>): Promise<T> => work().catch((error) => Promise.reject(meaningOf(error)))
  const placeIn = async (client: pg.PoolClient): Promise<Place> => {
    const { position, storeId, build, deadLetters } = await checkpointIn(client)
    const { mark, parkedStreams } = setAsideOf(await readAside(client, schema), deadLetters)
    return { position, origin: storeId + mark, build, parkedStreams }
  }
  const reading = <T>(work: (client: pg.PoolClient, place: Place) => Promise<T>): Promise<T> =>
    asking(() =>
      inTransaction(pool, 'begin isolation level repeatable read read only', async (client) =>
        work(client, await placeIn(client)),
      ),
    )
  const read: PostgresReader['read'] = (work) =>
    reading(async (client, { origin, build, position, parkedStreams }) => {
      const rows = async <R>({ sql, parameters }: CompiledQuery<R>): Promise<R[]> =>
        (await client.query(sql, [...parameters])).rows
      const token = formatToken(projection, origin, position)
      return { value: await work({ rows }), checkpoint: position, token, build, parkedStreams }
    })

  return {
    ready: () => asking(async () => (await stored(pool)) !== undefined),
    checkpoint: () => asking(async () => (await checkpointIn(pool)).position),
    read,
    rows: (query) => read((db) => db.rows(query)),
    waitFor: (position, timeoutMs) =>
      new Promise((resolve) => {
        const finish = (outcome: boolean) => {
          clearTimeout(timer)
          listeners.delete(look)
          resolve(outcome)
        }
        const look = () => {
          stored(pool).then(
            (checkpoint) => {
              if (checkpoint && comparePosition(checkpoint.position, position) >= 0) finish(true)
            },
            () => undefined, // while Postgres is away the caller keeps waiting
          )
        }
        const timer = setTimeout(() => finish(false), timeoutMs)
        listeners.add(look)
        look()
      }),
    changesSince: (token, limit) =>
      reading(async (client, { origin, build, position }) => {
        const feed = feedIn(client, schema)
        const bounds = { origin, build, position, floor: await feed.floor() }
        const from = resumeFrom(projection, bounds, token)
        return from ? changesOf(projection, bounds, from, await feed.page(from, limit)) : 'snapshot needed'
      }),
    onCommit: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => {
      await listening.close()
      await pool.end()
    },
  }
}
