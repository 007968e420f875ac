// Enters jobs into the ledger and the queue, each once, in an open transaction.
import type { PoolClient } from 'pg'
import type { JobRow } from '../reactions.ts'
import { enqueueEntered } from './job-list.ts'

const enter = `with entered as (
    insert into headwater.jobs (id, event_id, kind, stream, subject, traceparent, timer, queue, is_merged, run_at, replaced_at)
    select id, event_id, kind, stream, subject, traceparent, timer, queue, is_merged, to_timestamp(run_at_ms / 1000.0),
      case when is_replaced then now() end
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::text[], $8::text[],
        $9::bool[], $10::int8[], $11::bool[])
      as job (id, event_id, kind, stream, subject, traceparent, timer, queue, is_merged, run_at_ms, is_replaced)
    on conflict (id) do nothing
    returning *
  ), replaced as (
    update headwater.jobs set replaced_at = now(), parked_at = null
    from entered where jobs.timer = entered.timer
      and jobs.done_at is null and jobs.replaced_at is null and jobs.skipped_at is null
  ) ${enqueueEntered}`
const columns = [
  'id',
  'eventId',
  'kind',
  'stream',
  'subject',
  'traceparent',
  'timer',
  'queue',
  'isMerged',
  'runAtMs',
  'isReplaced',
] as const

/** Of each timer only the last job runs; a merged one at the moment of the first. */
const withoutReplaced = (jobs: readonly JobRow[]) => {
  const byTimer = Map.groupBy(jobs, ({ id, timer }) => timer ?? id)
  return jobs.map((job) => {
    const all = byTimer.get(job.timer ?? job.id) ?? []
    const runAtMs = job.isMerged ? Math.min(...all.map((one) => one.runAtMs)) : job.runAtMs
    return { ...job, runAtMs, isMerged: job.isMerged === 1, isReplaced: all.at(-1) !== job }
  })
}

export const enterJobs = async (client: PoolClient, jobs: readonly JobRow[]): Promise<void> => {
  if (jobs.length === 0) return
  const rows = withoutReplaced(jobs)
  await client.query(
    enter,
    columns.map((column) => rows.map((row) => row[column])),
  )
}
