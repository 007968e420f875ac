// Everything that follows the event store, as operators see it: read from where it keeps what it knows, whether or not it runs.
import { contexts } from '@headwater/deciders/contexts'
import type { Position } from '@headwater/eventstore/position'
import { bigints } from '@headwater/postgres/pool'
import { type CheckpointRow, checkpointOf } from '@headwater/projections/model/checkpoint-row'
import {
  allParked,
  deadLettersFromText,
  isWaiting,
  type ParkedEvent,
  parkedFromRow,
} from '@headwater/projections/model/parked'
import type { ReadModel } from '@headwater/projections/model/read-model'
import type { Checkpoint } from '@headwater/projections/model/sink'
import type { Wishes } from '@headwater/projections/operate/wishes'
import { readParked } from '@headwater/projections/postgres/parked'
import type { PostgresReader } from '@headwater/projections/postgres/reader'
import { readCheckpoint, schemaName } from '@headwater/projections/postgres/schema'
import { postgresWishes } from '@headwater/projections/postgres/wishes'
import { socketFile } from '@headwater/projections/sqlite/file'
import type { SqliteReader } from '@headwater/projections/sqlite/reader'
import { hasWaker } from '@headwater/projections/sqlite/wake'
import { openSqliteWishes } from '@headwater/projections/sqlite/wishes'
import { CompiledQuery } from 'kysely'
import pg, { type Pool } from 'pg'
import { dashboardModels, edgeModels, type Readers } from './read-models.ts'

export type FollowerState = {
  readonly position: Position
  /** Rows changed so far, or jobs entered; begins anew when it is built again. */
  readonly changes: number
  /** Events that could not be projected and wait, dead letters among them. */
  readonly parked: number
  /** One of them stops the projection. */
  readonly stopped: boolean
  /** Somebody follows the event store for it, as far as that shows. */
  readonly isWritten: boolean
}

export type Follower = {
  readonly name: string
  readonly version: number
  readonly categories: readonly string[]
  readonly place: 'edge' | 'postgres'
  readonly canBeRebuilt: boolean
  /** @throws Rejection `read_model_not_ready`, `read_model_unavailable`, or what Postgres says */
  readonly state: () => Promise<FollowerState>
  /** Dead letters and those that were skipped, too. Throws as `state` does. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  readonly wishes: Wishes
}

type Model = ReadModel & { readonly categories: readonly string[] }

/** What jobs follow. */
export const jobsCategories: readonly string[] = contexts.flatMap(({ reactions = [] }) =>
  reactions.map(({ stream }) => stream.category),
)

const latestChange = (feed: string, column: string) =>
  CompiledQuery.raw(`select coalesce(max(${column}), 0) as changes from ${feed}`) as CompiledQuery<{ changes: number }>
const parkedDetails = CompiledQuery.raw('select details from parked') as CompiledQuery<{ details: string }>
const checkpointRow = CompiledQuery.raw('select * from checkpoint') as CompiledQuery<{ deadLetters?: string }>

const countsOf = (parked: readonly ParkedEvent[]): Pick<FollowerState, 'parked' | 'stopped'> => {
  const waiting = parked.filter(isWaiting)
  return { parked: waiting.length, stopped: waiting.some(({ stops }) => stops) }
}

const atEdge = (directory: string, model: Model, reader: SqliteReader): Follower & { readonly close: () => void } => {
  const { name, version, categories } = model
  const wishes = openSqliteWishes(directory, `${name}.v${version}`)
  const parked = async () => {
    const listed = reader.rows(parkedDetails).value.map(({ details }) => parkedFromRow(details))
    return allParked(listed, { deadLetters: deadLettersFromText(reader.rows(checkpointRow).value[0]?.deadLetters) })
  }
  return {
    name,
    version,
    categories,
    place: 'edge',
    canBeRebuilt: true,
    state: async () => {
      const { value, checkpoint: position } = reader.rows(latestChange('feed', 'lastChange'))
      const isWritten = await hasWaker(socketFile(directory, model))
      return { position, changes: value[0]?.changes ?? 0, isWritten, ...countsOf(await parked()) }
    },
    parked,
    wishes,
    close: wishes.close,
  }
}

const notMade = ['42P01', '3F000']

const noneIfNotMade = (error: unknown) =>
  error instanceof pg.DatabaseError && notMade.includes(error.code ?? '') ? undefined : Promise.reject(error)

const isLeased = `exists (select from headwater.leases where name = $1 and expires_at > clock_timestamp()) as "isWritten"`

const inPostgres = (pool: Pool, model: Model, reader: PostgresReader): Follower => {
  const { name, version, categories } = model
  const schema = schemaName(model)
  const parked = async () =>
    allParked(await readParked(pool, schema), (await readCheckpoint(pool, schema).catch(noneIfNotMade))?.checkpoint)
  return {
    name,
    version,
    categories,
    place: 'postgres',
    canBeRebuilt: true,
    state: async () => {
      const { value, checkpoint: position } = await reader.rows(latestChange(`${schema}.feed`, 'last_change'))
      const { rows } = await pool.query<{ isWritten: boolean }>(`select ${isLeased}`, [schema])
      const isWritten = rows[0]?.isWritten ?? false
      return { position, changes: value[0]?.changes ?? 0, isWritten, ...countsOf(await parked()) }
    },
    parked,
    wishes: postgresWishes(pool, schema),
  }
}

type JobsRow = CheckpointRow & { readonly changes: bigint; readonly isWritten: boolean }

const jobsIn = (pool: Pool): Follower => {
  const stored = async () => {
    // Counting the ledger would read all that ever was done: Postgres keeps count by itself.
    const text = `select *, pg_stat_get_tuples_inserted('headwater.jobs'::regclass) as changes, ${isLeased}
      from headwater.followers where name = $1`
    const { rows } = await pool.query<JobsRow>({ text, values: ['jobs'], types: bigints })
    const [row] = rows
    return row && { checkpoint: checkpointOf(row), changes: Number(row.changes), isWritten: row.isWritten }
  }
  const parkedBeside = async (checkpoint: Checkpoint | undefined) =>
    allParked(await readParked(pool, 'jobs'), checkpoint)
  return {
    name: 'jobs',
    version: 1,
    categories: jobsCategories,
    place: 'postgres',
    canBeRebuilt: false,
    state: async () => {
      const found = await stored()
      if (!found) throw new Error('The jobs service has not started yet.')
      const { checkpoint, changes, isWritten } = found
      return { position: checkpoint.position, changes, isWritten, ...countsOf(await parkedBeside(checkpoint)) }
    },
    parked: async () => parkedBeside((await stored())?.checkpoint),
    wishes: postgresWishes(pool, 'jobs'),
  }
}

export const openFollowers = ({
  directory,
  pool,
  readers,
}: {
  readonly directory: string
  readonly pool: Pool
  readonly readers: Pick<Readers, 'edge' | 'postgres'>
}): { readonly all: readonly Follower[]; readonly close: () => void } => {
  const edge = edgeModels.map((model) => atEdge(directory, model, readers.edge(model.name)))
  return {
    all: [
      ...edge,
      ...dashboardModels.map((model) => inPostgres(pool, model, readers.postgres(model.name))),
      jobsIn(pool),
    ],
    close: () => {
      for (const { close } of edge) close()
    },
  }
}
