// Enters jobs into the ledger and the queue, each once, in an open transaction.
import type { PoolClient } from 'pg'
import { enqueueEntered } from './job-list.ts'
import type { JobRow } from './reactions.ts'

const enter = `with entered as (
    insert into headwater.jobs (id, event_id, kind, stream, subject, traceparent, timer, run_at, replaced_at)
    select id, event_id, kind, stream, subject, traceparent, timer, to_timestamp(run_at_ms / 1000.0),
      case when is_replaced then now() end
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::text[], $8::int8[], $9::bool[])
      as job (id, event_id, kind, stream, subject, traceparent, timer, run_at_ms, is_replaced)
    on conflict (id) do nothing
    returning *
  ), replaced as (
    update headwater.jobs set replaced_at = now(), parked_at = null
    from entered where jobs.timer = entered.timer
      and jobs.done_at is null and jobs.replaced_at is null and jobs.skipped_at is null
  ) ${enqueueEntered}`
const entered: readonly (keyof JobRow)[] = [
  'id',
  'eventId',
  'kind',
  'stream',
  'subject',
  'traceparent',
  'timer',
  'runAtMs',
]

/** The last job of a timer replaces the others. */
const supersededTimers = (jobs: readonly JobRow[]): readonly boolean[] => {
  const last = new Map(jobs.map((job, n) => [job.timer, n]))
  return jobs.map(({ timer }, n) => timer !== null && last.get(timer) !== n)
}

export const enterJobs = async (client: PoolClient, jobs: readonly JobRow[]): Promise<void> => {
  if (jobs.length === 0) return
  await client.query(enter, [...entered.map((column) => jobs.map((job) => job[column])), supersededTimers(jobs)])
}
