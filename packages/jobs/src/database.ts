// The jobs' place in Postgres: one pool a process, and the tables brought to today's shape, ours and the library's.
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { migrate, onceDone } from '@headwater/postgres/migrate'
import { openPool } from '@headwater/postgres/pool'
import { runMigrations } from 'graphile-worker'
import type { Pool } from 'pg'

/** Follower, lease, heartbeats and listening, and some for the jobs, which need one for moments only. */
const connectionsMax = 12

export type Database = {
  readonly pool: Pool
  /** Safe to call from several processes at once, and again. */
  readonly prepare: () => Promise<void>
}

export const openDatabase = (url: string, logger: Logger): Database => {
  const pool = openPool(url, connectionsMax, logger)
  const migrateBoth = async () => {
    await migrate(pool)
    await runMigrations({ pgPool: pool })
  }
  // Follower and workers begin at the same time: they wait for one another, not for locks.
  return { pool, prepare: onceDone(migrateBoth) }
}
