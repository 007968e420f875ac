// What follows from events, on Postgres: checkpoint and consequences move in one transaction, by the process that holds the lease.
import { randomUUID } from 'node:crypto'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, parsePosition } from '@headwater/eventstore/position'
import { type Lease, takeLease } from '@headwater/postgres/lease'
import { bigints, blamePostgres, inTransaction } from '@headwater/postgres/pool'
import {
  type CheckpointRow,
  checkpointOf,
  moveCheckpoint,
  moveValues,
} from '@headwater/projections/model/checkpoint-row'
import { StepUndone } from '@headwater/projections/model/halt'
import type { Projection } from '@headwater/projections/model/projection'
import type { Row } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink, Step } from '@headwater/projections/model/sink'
import { readParked, writeParking } from '@headwater/projections/postgres/parked'
import { postgresWishes } from '@headwater/projections/postgres/wishes'
import type { Pool, PoolClient } from 'pg'
import { followedKinds, type KindPositions } from './followed-kinds.ts'
import { enterJobs } from './ledger/enter-jobs.ts'
import type { JobRow } from './reactions.ts'

/** The name of the reactions' follower, its lease and its checkpoint. */
export const follower = 'jobs'

/** Jobs cannot be built again from the events, and jobs that follow from anywhere else miss events. */
export const jobsRestoreAdvice =
  'After a restore of the event store, stop all services and run "node src/restored-main.ts --backup-taken <moment>" ' +
  'in services/jobs (docs/restore.md). If nothing was restored, set EVENTSTORE_URL and DATABASE_URL right.'

export const readCheckpoint = async (db: Pool | PoolClient, name = follower): Promise<Checkpoint> => {
  const text = 'select * from headwater.followers where name = $1'
  const { rows } = await db.query<CheckpointRow>({ text, values: [name], types: bigints })
  const [row] = rows
  if (!row) throw new Error('No follower has started yet.')
  return checkpointOf(row)
}

/** What an event leads to. Never stored as it is. */
type Consequence = Row & {
  /** Each kind starts where the first process that knew it started. */
  readonly kind: string
  /** Of its event. */
  readonly position: string
}

export type Consequences<Of extends Consequence> = {
  readonly name: string
  readonly projection: Projection<DomainEvent, { readonly consequences: Of }>
  /** All kinds that this process knows. */
  readonly kinds: readonly string[]
  /**
   * Outside of the transaction and before it, so it may happen again.
   * @returns what is written in the transaction
   */
  readonly act: (rows: readonly Of[]) => Promise<(client: PoolClient) => Promise<void>>
}

export type ConsequencesSinkOptions<Of extends Consequence> = Consequences<Of> & {
  readonly pool: Pool
  /** Brings the tables to today's shape. */
  readonly prepare: () => Promise<void>
  /** Following begins at its head the first time: earlier events have had their consequences. */
  readonly store: Pick<EventStore, 'head'>
  readonly logger: Parameters<typeof takeLease>[3]
}

const consequencesOf = <Of extends Consequence>(step: Pick<Step, 'evolve'>): readonly Of[] =>
  step.evolve(new Map()).flatMap(({ after }) => (after ? [after as Of] : []))

/**
 * Takes over the checkpoint, if the lease still stands: an earlier holder cannot write any more. Goes back to the kind that is
 * furthest behind, which other versions passed over. What other kinds do again has its old ids and no effect.
 */
const claimCheckpoint = (pool: Pool, { name, kinds }: { name: string; kinds: readonly string[] }, { epoch }: Lease) =>
  inTransaction(pool, 'begin', async (client) => {
    const claimed = await client.query(
      `update headwater.followers set epoch = followers.epoch + 1, (commit_position, prepare_position) = (
         select place.commit, place.prepare from (
           select followers.commit_position as commit, followers.prepare_position as prepare
           union all select commit_position, prepare_position from headwater.followed_kinds
             where follower = followers.name and kind = any($3)
         ) as place order by 1, 2 limit 1)
       from headwater.leases
       where followers.name = $1 and leases.name = $1 and leases.epoch = $2
         and leases.expires_at > clock_timestamp()`,
      [name, epoch, kinds],
    )
    return claimed.rowCount ? readCheckpoint(client, name) : undefined
  })

export const openConsequencesSink = <Of extends Consequence>(options: ConsequencesSinkOptions<Of>): Sink => {
  const { name, act, pool, prepare, logger } = options
  const holder = randomUUID()
  const kinds = followedKinds(options)
  const move = `${moveCheckpoint('headwater.followers')} and name = '${name}'`
  let lease: Lease | undefined
  let starts: KindPositions = new Map()

  const isAfterStart = ({ kind, position }: Consequence): boolean => {
    const [start, at] = [starts.get(kind), parsePosition(position)]
    return start === undefined || at === undefined || comparePosition(at, start) > 0
  }

  const commit = async (step: Step): Promise<void> => {
    const write = await act(consequencesOf<Of>(step).filter(isAfterStart))
    await inTransaction(pool, 'begin', async (client) => {
      const moved = await client.query(move, [...moveValues(step)])
      if (moved.rowCount === 0) throw new StepUndone()
      if (step.parking && !(await writeParking(client, name, step.parking))) throw new StepUndone()
      await kinds.moveTo(client, options.kinds, step.to.position)
      await write(client)
    })
  }

  const release = async () => {
    await lease?.release()
    lease = undefined
  }

  return {
    claim: async (storeId) => {
      await prepare()
      await kinds.register(storeId)
      lease = await takeLease(pool, name, holder, logger)
      const checkpoint = lease && (await claimCheckpoint(pool, options, lease))
      if (checkpoint) starts = await kinds.starts()
      return checkpoint
    },
    checkpoint: () => readCheckpoint(pool, name),
    parked: () => readParked(pool, name),
    commit: (step) =>
      commit(step).then(
        () => 'committed',
        (error: unknown) => (error instanceof StepUndone ? 'superseded' : Promise.reject(error)),
      ),
    wishes: postgresWishes(pool, name),
    blame: blamePostgres,
    claimsExpire: true,
    rebuildAdvice: jobsRestoreAdvice,
    release,
    close: release,
  }
}

/** The reactions' consequences: jobs. */
export const jobsOf = (
  projection: Projection<DomainEvent, { readonly consequences: JobRow }>,
  kinds: readonly string[],
): Consequences<JobRow> => ({
  name: follower,
  projection,
  kinds,
  act: async (rows) => (client) => enterJobs(client, rows),
})
