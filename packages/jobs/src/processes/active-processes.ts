// The processes that are not over, read from Postgres: also while the jobs service is away.
import type { Pool } from 'pg'

export type ActiveProcess = {
  /** Of the process. */
  readonly stream: string
  /** Since when it waits for the same. */
  readonly since: Date
  /** When its next step is due; null while it waits for an input. */
  readonly dueAt: Date | null
  /** Code of the refusal or outage that holds it up. */
  readonly trouble: string | null
}

/** Those that are held up first, then the longest waiting. */
export const activeProcesses = async (pool: Pool, limit: number): Promise<readonly ActiveProcess[]> => {
  const { rows } = await pool.query<ActiveProcess>(
    `select stream, since, due_at as "dueAt", trouble from headwater.processes
     order by trouble is null, since limit $1`,
    [limit],
  )
  return rows
}
