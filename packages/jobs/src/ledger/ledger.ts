// The ledger of jobs in Postgres: enters each job once, with the checkpoint in one transaction, and keeps what became of it.
import type { RequestedJob } from '@headwater/deciders/reaction'
import { beginning } from '@headwater/eventstore/position'
import { inTransaction } from '@headwater/postgres/pool'
import type { Pool } from 'pg'
import { jobRow } from '../reactions.ts'
import { enterJobs } from './enter-jobs.ts'
import { enqueueEntered, type ParkedJob, parkedJobCount, parkedJobs, runJobAgain, skipJob } from './job-list.ts'

/** What the worker is handed, as JSON, with what the job is about. */
export type Job = {
  /** Also the id of the commands that it sends. */
  readonly id: string
  /** What it follows from. */
  readonly eventId: string
  readonly stream: string
  readonly traceparent: string | null
}

/** Of one thing, where nobody knows whether the first went. */
const sendsMax = 2

export type Ledger = {
  readonly done: (id: string) => Promise<void>
  /** Sets a job aside that failed for good, until an operator has it run again or goes on without it. */
  readonly park: (id: string, error: string) => Promise<void>
  /** Has a job that runs now run again after a while. */
  readonly later: (id: string, laterMs: number) => Promise<void>
  /** Enters jobs that follow from a job, once each. */
  readonly add: (job: Job, jobs: readonly RequestedJob[]) => Promise<void>
  /** Notes that the job is about to send something. False when that was begun twice and nobody knows what became of it. */
  readonly beginSend: (id: string) => Promise<boolean>
  /** What was begun certainly did not go. */
  readonly notSent: (id: string) => Promise<void>
  /** The streams whose events led to jobs of this kind with these fields. Reads the whole ledger: only for rare cases. */
  readonly streamsOf: (kind: string, about: Readonly<Record<string, string>>) => Promise<readonly string[]>
  /** The oldest first. */
  readonly parked: (limit: number) => Promise<readonly ParkedJob[]>
  readonly parkedCount: () => Promise<number>
  /** False when there is no such job parked. */
  readonly runAgain: (id: string) => Promise<boolean>
  /** False when there is no such job parked. */
  readonly skip: (id: string, why: { readonly by: string; readonly reason: string }) => Promise<boolean>
}

export const openLedger = (pool: Pool): Ledger => ({
  done: async (id) => {
    await pool.query('update headwater.jobs set done_at = now() where id = $1', [id])
  },
  park: async (id, error) => {
    await pool.query('update headwater.jobs set parked_at = now(), error = $2 where id = $1', [id, error])
  },
  later: async (id, laterMs) => {
    await pool.query(
      `with entered as (
         update headwater.jobs set run_at = now() + make_interval(secs => $2)
         where id = $1 and done_at is null and replaced_at is null and skipped_at is null returning *
       ) ${enqueueEntered}`,
      [id, laterMs / 1_000],
    )
  },
  add: async (job, jobs) => {
    const event = { ...job, position: beginning, metadata: { traceparent: job.traceparent }, recordedAt: new Date() }
    await inTransaction(pool, 'begin', async (client) => {
      const rows = jobs.map((requested) => ({ ...jobRow(event, requested), eventId: job.eventId }))
      await enterJobs(client, rows)
    })
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
  streamsOf: async (kind, about) => {
    const { rows } = await pool.query<{ stream: string }>(
      'select distinct stream from headwater.jobs where kind = $1 and subject @> $2',
      [kind, JSON.stringify(about)],
    )
    return rows.map(({ stream }) => stream)
  },
  parked: (limit) => parkedJobs(pool, limit),
  parkedCount: () => parkedJobCount(pool),
  runAgain: (id) => runJobAgain(pool, id),
  skip: (id, why) => skipJob(pool, id, why),
})
