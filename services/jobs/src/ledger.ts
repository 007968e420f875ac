// The ledger of jobs in Postgres: enters each job once, with the checkpoint in one transaction, and keeps what became of it.
import type { Pool } from 'pg'

/** What the worker is handed, as JSON, with what the job is about. */
export type Job = {
  /** Also the id of the commands that it sends. */
  readonly id: string
  /** What it follows from. */
  readonly eventId: string
  readonly stream: string
  readonly traceparent: string | null
}

/** Without what it is about, which may concern people: the event says it to who may read it. */
type ParkedJob = Job & {
  readonly kind: string
  readonly parkedAt: Date
  /** Why it was given up. */
  readonly error: string
}

/** The library advises few queues; streams share these, so each stream's jobs still run one after the other. */
const queuesMask = 63
/** Never reached: the library must not give a job up, the worker does. Its column is a smallint. */
const attemptsMax = 32_767

/** Of one thing, where nobody knows whether the first went. */
const sendsMax = 2

/** Hands the jobs of the common table expression `entered` to the workers. */
export const enqueueEntered = `select graphile_worker.add_job(
    kind,
    (subject || jsonb_build_object('id', id, 'eventId', event_id, 'stream', stream, 'traceparent', traceparent))::json,
    queue_name => 'streams-' || (hashtext(stream) & ${queuesMask}),
    run_at => run_at,
    max_attempts => ${attemptsMax},
    job_key => timer
  ) from entered where replaced_at is null`

export type Ledger = {
  readonly done: (id: string) => Promise<void>
  /** Sets a job aside that failed for good, until an operator has it run again. */
  readonly park: (id: string, error: string) => Promise<void>
  /** Notes that the job is about to send something. False when that was begun twice and nobody knows what became of it. */
  readonly beginSend: (id: string) => Promise<boolean>
  /** What was begun certainly did not go. */
  readonly notSent: (id: string) => Promise<void>
  /** The oldest first. */
  readonly parked: (limit: number) => Promise<readonly ParkedJob[]>
  readonly parkedCount: () => Promise<number>
  /** False when there is no such job parked. */
  readonly runAgain: (id: string) => Promise<boolean>
}

export const openLedger = (pool: Pool): Ledger => ({
  done: async (id) => {
    await pool.query('update headwater.jobs set done_at = now() where id = $1', [id])
  },
  park: async (id, error) => {
    await pool.query('update headwater.jobs set parked_at = now(), error = $2 where id = $1', [id, error])
  },
  beginSend: async (id) => {
    const { rowCount } = await pool.query('update headwater.jobs set sends = sends + 1 where id = $1 and sends < $2', [
      id,
      sendsMax,
    ])
    return rowCount === 1
  },
  notSent: async (id) => {
    await pool.query('update headwater.jobs set sends = sends - 1 where id = $1', [id])
  },
  parked: async (limit) => {
    const { rows } = await pool.query<ParkedJob>(
      `select id, event_id as "eventId", kind, stream, traceparent, parked_at as "parkedAt", error
       from headwater.jobs where parked_at is not null order by parked_at limit $1`,
      [limit],
    )
    return rows
  },
  parkedCount: async () => {
    const { rows } = await pool.query<{ count: number }>(
      'select count(*) from headwater.jobs where parked_at is not null',
    )
    return rows[0]?.count ?? 0
  },
  runAgain: async (id) => {
    const { rowCount } = await pool.query(
      `with entered as (
         update headwater.jobs set parked_at = null, error = null, run_at = now(), sends = 0
         where id = $1 and parked_at is not null returning *
       ) ${enqueueEntered}`,
      [id],
    )
    return rowCount === 1
  },
})
