// Everything that follows the event store, as operators see it: read from where it keeps what it knows, whether or not it runs.
import type { FollowerName } from '@headwater/deciders/operations'
import type { Position } from '@headwater/eventstore/position'
import { CompiledQuery } from 'kysely'
import type { Pool } from 'pg'
import { audit } from './audit.ts'
import { consents } from './consents.ts'
import { loans } from './loans.ts'
import { type ParkedEvent, parkedFromRow } from './parked.ts'
import { readParked } from './postgres-parked.ts'
import { bigints } from './postgres-pool.ts'
import type { PostgresReader } from './postgres-reader.ts'
import { schemaName } from './postgres-schema.ts'
import { postgresWishes } from './postgres-wishes.ts'
import type { ReadModel } from './read-model.ts'
import { socketFile } from './sqlite-file.ts'
import type { SqliteReader } from './sqlite-reader.ts'
import { openSqliteWishes } from './sqlite-wishes.ts'
import { underwriting } from './underwriting.ts'
import { hasWaker } from './wake.ts'
import type { Wishes } from './wishes.ts'

export type FollowerState = {
  readonly position: Position
  /** Rows changed so far, or jobs entered; begins anew when it is built again. */
  readonly changes: number
  /** Streams that wait behind an event which could not be taken in. */
  readonly parked: number
  /** Somebody follows the event store for it, as far as that shows. */
  readonly isWritten: boolean
}

export type Follower = {
  readonly name: FollowerName
  readonly version: number
  readonly categories: readonly string[]
  readonly place: 'edge' | 'postgres'
  readonly canBeRebuilt: boolean
  /** @throws Rejection `read_model_not_ready`, `read_model_unavailable`, or what Postgres says */
  readonly state: () => Promise<FollowerState>
  /** Those that were skipped, too. Throws as `state` does. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  readonly wishes: Wishes
}

type Named = { readonly name: FollowerName }
type Model = ReadModel & Named & { readonly categories: readonly string[] }

/** What the reactions of services/jobs follow. */
export const jobsCategories: readonly string[] = ['loan', 'applicant', 'patient']

/** Jobs cannot be built again from the events, and jobs that follow from anywhere else miss events. */
export const jobsRestoreAdvice =
  'After a restore of the event store, stop all services and run "node src/restored-main.ts --backup-taken <moment>" ' +
  'in services/jobs (docs/restore.md). If nothing was restored, set EVENTSTORE_URL and DATABASE_URL right.'

const latestChange = (feed: string, column: string) =>
  CompiledQuery.raw(`select coalesce(max(${column}), 0) as changes from ${feed}`) as CompiledQuery<{ changes: number }>
const parkedDetails = CompiledQuery.raw('select details from parked') as CompiledQuery<{ details: string }>

const atEdge = (directory: string, model: Model, reader: SqliteReader): Follower & { readonly close: () => void } => {
  const { name, version, categories } = model
  const wishes = openSqliteWishes(directory, `${name}.v${version}`)
  return {
    name,
    version,
    categories,
    place: 'edge',
    canBeRebuilt: true,
    state: async () => {
      const { value, checkpoint: position, parkedStreams } = reader.rows(latestChange('feed', 'lastChange'))
      const isWritten = await hasWaker(socketFile(directory, model))
      return { position, changes: value[0]?.changes ?? 0, parked: parkedStreams.length, isWritten }
    },
    parked: async () => reader.rows(parkedDetails).value.map(({ details }) => parkedFromRow(details)),
    wishes,
    close: wishes.close,
  }
}

const isLeased = `exists (select from headwater.leases where name = $1 and expires_at > clock_timestamp()) as "isWritten"`

const inPostgres = (pool: Pool, model: Model, reader: PostgresReader): Follower => {
  const { name, version, categories } = model
  const schema = schemaName(model)
  return {
    name,
    version,
    categories,
    place: 'postgres',
    canBeRebuilt: true,
    state: async () => {
      const {
        value,
        checkpoint: position,
        parkedStreams,
      } = await reader.rows(latestChange(`${schema}.feed`, 'last_change'))
      const { rows } = await pool.query<{ isWritten: boolean }>(`select ${isLeased}`, [schema])
      const isWritten = rows[0]?.isWritten ?? false
      return { position, changes: value[0]?.changes ?? 0, parked: parkedStreams.length, isWritten }
    },
    parked: () => readParked(pool, schema),
    wishes: postgresWishes(pool, schema),
  }
}

type JobsRow = {
  readonly commit: bigint
  readonly prepare: bigint
  readonly changes: bigint
  readonly parked: bigint
  readonly isWritten: boolean
}

const jobsIn = (pool: Pool): Follower => ({
  name: 'jobs',
  version: 1,
  categories: jobsCategories,
  place: 'postgres',
  canBeRebuilt: false,
  state: async () => {
    // Counting the ledger would read all that ever was done: Postgres keeps count by itself.
    const text = `select commit_position as commit, prepare_position as prepare,
        pg_stat_get_tuples_inserted('headwater.jobs'::regclass) as changes, ${isLeased},
        (select count(*) from headwater.parked_events where follower = $1 and not is_skipped) as parked
      from headwater.followers where name = $1`
    const { rows } = await pool.query<JobsRow>({ text, values: ['jobs'], types: bigints })
    const [row] = rows
    if (!row) throw new Error('The jobs service has not started yet.')
    const { commit, prepare, changes, parked, isWritten } = row
    return { position: { commit, prepare }, changes: Number(changes), parked: Number(parked), isWritten }
  },
  parked: () => readParked(pool, 'jobs'),
  wishes: postgresWishes(pool, 'jobs'),
})

export const openFollowers = ({
  directory,
  pool,
  readers,
}: {
  readonly directory: string
  readonly pool: Pool
  readonly readers: {
    readonly loans: SqliteReader
    readonly consents: SqliteReader
    readonly underwriting: PostgresReader
    readonly audit: PostgresReader
  }
}): { readonly all: readonly Follower[]; readonly close: () => void } => {
  const edge = [
    atEdge(directory, { ...loans, name: 'loans' }, readers.loans),
    atEdge(directory, { ...consents, name: 'consents' }, readers.consents),
  ]
  return {
    all: [
      ...edge,
      inPostgres(pool, { ...underwriting, name: 'underwriting' }, readers.underwriting),
      inPostgres(pool, { ...audit, name: 'audit' }, readers.audit),
      jobsIn(pool),
    ],
    close: () => {
      for (const { close } of edge) close()
    },
  }
}
