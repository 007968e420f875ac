// The jobs in Postgres as operators see them: what waits, what failed for good, having it run again or going on without it.

import type { Skip } from '@headwater/projections/model/parked'
import type { Pool } from 'pg'

/** The library advises few queues: a category's jobs share these, and jobs of one name still run one after the other. */
const queuesMask = 63
/** Never reached: the library must not give a job up, the worker does. Its column is a smallint. */
const attemptsMax = 32_767

/**
 * Hands the jobs of the common table expression `entered` to the workers. A job that is entered again under its key while it
 * runs is a new one, and the one that runs is not tried again: in one statement, so that no crash leaves both or none.
 */
export const enqueueEntered = `select graphile_worker.add_job(
    kind,
    (subject || jsonb_build_object('id', id, 'eventId', event_id, 'stream', stream, 'traceparent', traceparent))::json,
    queue_name => case when queue is not null then split_part(stream, '-', 1) || '-' || (hashtext(queue) & ${queuesMask}) end,
    run_at => run_at,
    max_attempts => ${attemptsMax},
    job_key => coalesce(timer, id::text),
    job_key_mode => case when is_merged then 'preserve_run_at' else 'replace' end
  ) from entered where replaced_at is null`

/** Without what it is about, which may concern people: the event says it to who may read it. */
export type ParkedJob = {
  readonly id: string
  /** What it follows from. */
  readonly eventId: string
  readonly kind: string
  readonly stream: string
  readonly traceparent: string | null
  readonly parkedAt: Date
  /** Why it was given up. */
  readonly error: string
  readonly skipped: Skip | null
}

const isParked = 'parked_at is not null and skipped_at is null'
const identity = `id, event_id as "eventId", kind, stream, traceparent`
const skipped = `case when skipped_at is not null then
  jsonb_build_object('by', skipped_by, 'at', skipped_at, 'reason', skip_reason) end as skipped`

/** As JSON, in which a moment is text. */
type StoredSkip = (Omit<Skip, 'at'> & { readonly at: string }) | null
type Stored<Job> = Omit<Job, 'skipped'> & { readonly skipped: StoredSkip }
const skipOf = (stored: StoredSkip): Skip | null => stored && { ...stored, at: new Date(stored.at) }

const select = async (pool: Pool, which: string, limit: number): Promise<readonly ParkedJob[]> => {
  const { rows } = await pool.query<Stored<ParkedJob>>(
    `select ${identity}, parked_at as "parkedAt", error, ${skipped} from headwater.jobs where ${which} limit $1`,
    [limit],
  )
  return rows.map((row) => ({ ...row, skipped: skipOf(row.skipped) }))
}

/** Those that wait for an operator, the oldest first. */
export const parkedJobs = (pool: Pool, limit: number): Promise<readonly ParkedJob[]> =>
  select(pool, `${isParked} order by parked_at`, limit)

/** Those that an operator went on without, the newest first. */
export const skippedJobs = (pool: Pool, limit: number): Promise<readonly ParkedJob[]> =>
  select(pool, 'parked_at is not null and skipped_at is not null order by skipped_at desc', limit)

/** Those that wait for an operator. */
export const parkedJobCount = async (pool: Pool): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(`select count(*) from headwater.jobs where ${isParked}`)
  return rows[0]?.count ?? 0
}

/** False when there is no such job parked. */
export const runJobAgain = async (pool: Pool, id: string): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `with entered as (
       update headwater.jobs set parked_at = null, error = null, run_at = now(), sends = 0
       where id = $1 and ${isParked} returning *
     ) ${enqueueEntered}`,
    [id],
  )
  return rowCount === 1
}

/** It is never run: what it was for is not done. False when there is no such job parked. */
export const skipJob = async (pool: Pool, id: string, { by, reason }: Omit<Skip, 'at'>): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `update headwater.jobs set skipped_at = now(), skipped_by = $2, skip_reason = $3 where id = $1 and ${isParked}`,
    [id, by, reason],
  )
  return rowCount === 1
}

export type JobState = 'done' | 'skipped' | 'parked' | 'replaced' | 'waiting'

export type JobFound = Omit<ParkedJob, 'parkedAt' | 'error'> & {
  readonly state: JobState
  readonly enteredAt: Date
  readonly runAt: Date
  readonly doneAt: Date | null
  readonly parkedAt: Date | null
  readonly error: string | null
}

const state = `case when done_at is not null then 'done' when skipped_at is not null then 'skipped'
  when parked_at is not null then 'parked' when replaced_at is not null then 'replaced' else 'waiting' end`

export const jobById = async (pool: Pool, id: string): Promise<JobFound | undefined> => {
  const { rows } = await pool.query<Stored<JobFound>>(
    `select ${identity}, ${state} as state, entered_at as "enteredAt",
       run_at as "runAt", done_at as "doneAt", parked_at as "parkedAt", error, ${skipped}
     from headwater.jobs where id = $1`,
    [id],
  )
  const [row] = rows
  return row && { ...row, skipped: skipOf(row.skipped) }
}

/** The jobs of one kind that are not done, without those that were skipped. */
export type JobCounts = {
  readonly kind: string
  /** In the hands of a worker. */
  readonly running: number
  /** To be run now, by whoever has time; those among them that failed before wait to be tried again. */
  readonly due: number
  /** Timers: to be run at a time that has not come. */
  readonly later: number
  readonly parked: number
  readonly oldestDue: { readonly id: string; readonly stream: string; readonly runAt: Date } | null
}

/** By kind, in the order of their names; none when there never was a job. */
export const jobCounts = async (pool: Pool): Promise<readonly JobCounts[]> => {
  const { rows } = await pool.query<Omit<JobCounts, 'oldestDue'> & { id: string | null; stream: string; runAt: Date }>(
    `with open as (
       select kind, id, stream, run_at, parked_at is not null as is_parked, parked_at is null and run_at <= now() as is_due
       from headwater.jobs where done_at is null and replaced_at is null and skipped_at is null
     ), running as (
       select task_identifier as kind, count(*) as count from graphile_worker.jobs where locked_at is not null group by 1
     ), counted as (
       select kind, count(*) filter (where is_due) as due, count(*) filter (where not is_due and not is_parked) as later,
         count(*) filter (where is_parked) as parked
       from open group by kind
     ), oldest as (
       select distinct on (kind) kind, id, stream, run_at from open where is_due order by kind, run_at
     )
     select kind, least(coalesce(running.count, 0), due) as running, due - least(coalesce(running.count, 0), due) as due,
       later, parked, id, stream, run_at as "runAt"
     from counted left join running using (kind) left join oldest using (kind) order by kind`,
  )
  return rows.map(({ id, stream, runAt, ...counts }) => ({
    ...counts,
    oldestDue: id === null ? null : { id, stream, runAt },
  }))
}

/** False before the jobs service has run for the first time. */
export const hasJobs = async (pool: Pool): Promise<boolean> => {
  const text = `select to_regclass('headwater.jobs') is not null and to_regclass('graphile_worker.jobs') is not null as has`
  const { rows } = await pool.query<{ has: boolean }>(text)
  return rows[0]?.has ?? false
}
