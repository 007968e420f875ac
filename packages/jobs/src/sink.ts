// Where the reactions' jobs go: ledger, queue and checkpoint move in one transaction, by whoever holds the lease.
import { randomUUID } from 'node:crypto'
import type { EventStore } from '@headwater/eventstore/client/client'
import { type Lease, takeLease } from '@headwater/postgres/lease'
import { bigints, blamePostgres, inTransaction } from '@headwater/postgres/pool'
import {
  type CheckpointRow,
  checkpointOf,
  moveCheckpoint,
  moveValues,
} from '@headwater/projections/model/checkpoint-row'
import { StepRefused } from '@headwater/projections/model/halt'
import type { Row } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink, Step } from '@headwater/projections/model/sink'
import { readParked, writeParking } from '@headwater/projections/postgres/parked'
import { postgresWishes } from '@headwater/projections/postgres/wishes'
import type { Pool, PoolClient } from 'pg'
import { enqueueEntered } from './job-list.ts'
import type { JobRow } from './reactions.ts'

/** The name of the follower, its lease and its checkpoint. */
export const follower = 'jobs'

/** Jobs cannot be built again from the events, and jobs that follow from anywhere else miss events. */
export const jobsRestoreAdvice =
  'After a restore of the event store, stop all services and run "node src/restored-main.ts --backup-taken <moment>" ' +
  'in services/jobs (docs/restore.md). If nothing was restored, set EVENTSTORE_URL and DATABASE_URL right.'

export const readCheckpoint = async (db: Pool | PoolClient): Promise<Checkpoint> => {
  const text = 'select * from headwater.followers where name = $1'
  const { rows } = await db.query<CheckpointRow>({ text, values: [follower], types: bigints })
  const [row] = rows
  if (!row) throw new Error('No follower has started yet.')
  return checkpointOf(row)
}

const move = `${moveCheckpoint('headwater.followers')} and name = '${follower}'`

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

/** Of the jobs of one timer the last counts. */
const areReplaced = (jobs: readonly Row[]): readonly boolean[] => {
  const last = new Map(jobs.map((job, n) => [job.timer, n]))
  return jobs.map(({ timer }, n) => timer !== null && last.get(timer) !== n)
}

const write = async (client: PoolClient, step: Step): Promise<void> => {
  const { evolve, parking } = step
  const moved = await client.query(move, [...moveValues(step)])
  if (moved.rowCount === 0) throw new StepRefused()
  if (parking && !(await writeParking(client, follower, parking))) throw new StepRefused()
  // A job does not change: what the ledger has of it is not needed.
  const jobs = evolve(new Map()).flatMap(({ after }) => (after ? [after] : []))
  if (jobs.length > 0)
    await client.query(enter, [...entered.map((column) => jobs.map((job) => job[column])), areReplaced(jobs)])
}

/**
 * @param prepare brings the tables to today's shape
 * @param store whose head is where following begins the first time: what was before has had its consequences
 */
export const openJobsSink = ({
  pool,
  prepare,
  store,
  logger,
}: {
  readonly pool: Pool
  readonly prepare: () => Promise<void>
  readonly store: Pick<EventStore, 'head'>
  readonly logger: Parameters<typeof takeLease>[3]
}): Sink => {
  const holder = randomUUID()
  let lease: Lease | undefined

  const begin = async (storeId: string) => {
    const begun = await pool.query('select from headwater.followers where name = $1', [follower])
    if (begun.rowCount) return
    const { commit, prepare } = await store.head()
    await pool.query(
      `insert into headwater.followers (name, commit_position, prepare_position, store_id, epoch)
       values ($1, $2, $3, $4, 0) on conflict (name) do nothing`,
      [follower, commit, prepare, storeId],
    )
  }

  /** Takes over the checkpoint, if the lease still stands: whoever wrote before cannot any more. */
  const claimCheckpoint = ({ epoch }: Lease) =>
    inTransaction(pool, 'begin', async (client) => {
      const claimed = await client.query(
        `update headwater.followers set epoch = followers.epoch + 1 from headwater.leases
         where followers.name = $1 and leases.name = $1 and leases.epoch = $2
           and leases.expires_at > clock_timestamp()`,
        [follower, epoch],
      )
      return claimed.rowCount ? readCheckpoint(client) : undefined
    })

  const release = async () => {
    await lease?.release()
    lease = undefined
  }

  return {
    claim: async (storeId) => {
      await prepare()
      lease = await takeLease(pool, follower, holder, logger)
      if (!lease) return undefined
      await begin(storeId)
      return claimCheckpoint(lease)
    },
    checkpoint: () => readCheckpoint(pool),
    parked: () => readParked(pool, follower),
    commit: (step) =>
      inTransaction(pool, 'begin', (client) => write(client, step)).then(
        () => 'committed',
        (error: unknown) => (error instanceof StepRefused ? 'superseded' : Promise.reject(error)),
      ),
    wishes: postgresWishes(pool, follower),
    blame: blamePostgres,
    claimsExpire: true,
    rebuildAdvice: jobsRestoreAdvice,
    release,
    close: release,
  }
}
