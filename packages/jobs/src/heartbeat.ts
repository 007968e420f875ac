// Shows that a worker lives, and takes care of what the library leaves for hours: jobs of dead workers, and far-off retries.
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Pool } from 'pg'

const beatEveryMs = 2_000
/** A worker unheard of for so long is taken to be dead. With beat and poll on top, its jobs run again within 15 s. */
const silenceMsMax = 8_000
const beat = `insert into headwater.job_workers (id, seen_at) values ($1, clock_timestamp())
  on conflict (id) do update set seen_at = excluded.seen_at`

const forgetTheDead = `delete from headwater.job_workers
  where seen_at < clock_timestamp() - make_interval(secs => $1)`

/** A job locked only just now may be of a worker that has not been heard yet. */
const freeJobsOfTheDead = `with dead as (
    select distinct locked_by from graphile_worker.jobs
    where locked_at < clock_timestamp() - make_interval(secs => $1)
      and locked_by not in (select id from headwater.job_workers)
  )
  select graphile_worker.force_unlock_workers(array(select locked_by from dead)) where exists (select from dead)`

/** The library doubles its delays into hours; what a job waits for may be back much sooner. Jobs that were never tried keep their time. */
const capRetryDelay = `with far as (
    select id from graphile_worker.jobs
    where attempts > 0 and locked_at is null and run_at > now() + make_interval(secs => $1)
      and task_identifier = any($2)
  )
  select from graphile_worker.reschedule_jobs(
    array(select id from far), run_at => now() + make_interval(secs => $1)
  ) where exists (select from far)`

/** A job that was entered again under its key while it ran, and then failed or lost its worker. The library keeps such a row for ever. */
const forgetTheSuperseded = `select from graphile_worker.complete_jobs(array(
    select id from graphile_worker.jobs
    where key is null and attempts >= max_attempts and locked_at is null and task_identifier = any($1)
  ))`

export type Heartbeat = { readonly stop: () => void }

type HeartbeatOptions = {
  readonly pool: Pool
  readonly workerId: string
  /** The kinds of jobs that the worker runs, and how far off it lets their retries be. */
  readonly kinds: readonly string[]
  readonly retryDelayMsMax: number
  readonly logger: Logger
}

export const startHeartbeat = ({ pool, workerId, kinds, retryDelayMsMax, logger }: HeartbeatOptions): Heartbeat => {
  const once = async () => {
    await pool.query(beat, [workerId])
    await pool.query(forgetTheDead, [silenceMsMax / 1_000])
    const freed = await pool.query(freeJobsOfTheDead, [silenceMsMax / 1_000])
    if (freed.rowCount) logger.warn('jobs of a worker that is gone are free to run again')
    await pool.query(capRetryDelay, [retryDelayMsMax / 1_000, kinds])
    await pool.query(forgetTheSuperseded, [kinds])
  }
  const tick = () =>
    void once().catch((error: unknown) => logger.warn({ err: error }, 'a heartbeat did not reach Postgres'))
  const beating = setInterval(tick, beatEveryMs)
  tick()
  return { stop: () => clearInterval(beating) }
}
