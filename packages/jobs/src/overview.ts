// How the jobs and the webhooks' deliveries stand, read from Postgres: also while the jobs service is away.
import type { JobsOfKind } from '@headwater/deciders/operations/operations'
import type { Pool } from 'pg'

/** What is done leaves the queue, so the queue is counted, not the ledger. */
const countJobs = `with queued as (
    select task_identifier as kind,
      count(*) filter (where locked_at is not null) as running,
      count(*) filter (where locked_at is null and run_at <= now()) as due,
      count(*) filter (where locked_at is null and run_at > now() and attempts = 0) as later,
      count(*) filter (where locked_at is null and run_at > now() and attempts > 0) as again
    from graphile_worker.jobs group by 1
  ), parked as (
    select kind, count(*) as parked from headwater.jobs where parked_at is not null and skipped_at is null group by 1
  )
  select kind, coalesce(running, 0) as running, coalesce(due, 0) + coalesce(again, 0) as due, coalesce(later, 0) as later,
    coalesce(parked, 0) as parked
  from queued full join parked using (kind) order by kind`

const countDeliveries = `select count(*) filter (where parked_at is null) as waiting, count(parked_at) as parked
  from headwater.webhook_deliveries where delivered_at is null`

export type JobsOverview = {
  readonly jobs: readonly JobsOfKind[]
  readonly webhooks: { readonly waiting: number; readonly parked: number }
}

export const readJobsOverview = async (pool: Pool): Promise<JobsOverview> => {
  const { rows: jobs } = await pool.query<JobsOfKind>(countJobs)
  const { rows } = await pool.query<JobsOverview['webhooks']>(countDeliveries)
  return { jobs, webhooks: rows[0] ?? { waiting: 0, parked: 0 } }
}
