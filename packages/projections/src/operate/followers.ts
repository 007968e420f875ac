// Lists the projections and the jobs' follower for operators, from their stored state, whether or not they run.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { Rejection } from '@headwater/deciders/decider'
import { bigints } from '@headwater/postgres/pool'
import Database from 'better-sqlite3'
import pg from 'pg'
import { type CheckpointRow, checkpointOf } from '../model/checkpoint-row.ts'
import { allParked, type ParkedEvent, parkedFromRow } from '../model/parked.ts'
import { type ReadModel, shapeOf } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'
import { readParked } from '../postgres/parked.ts'
import { readCheckpoint, schemaName } from '../postgres/schema.ts'
import { postgresWishes } from '../postgres/wishes.ts'
import { busyTimeoutMs, checkpointQuery, socketFile, sqliteFile } from '../sqlite/file.ts'
import { hasWaker } from '../sqlite/wake.ts'
import { openSqliteWishes } from '../sqlite/wishes.ts'
import type { Wishes } from './wishes.ts'

const undefinedTable = '42P01'
const invalidSchema = '3F000'

type Model = ReadModel & { readonly categories: readonly string[] }

/** A projection as operators see it: one read model, or the jobs. */
export type Follower = {
  readonly name: string
  readonly version: number
  readonly categories: readonly string[]
  readonly service: 'edge-projector' | 'dashboard-projector' | 'jobs'
  readonly kind: 'SQLite' | 'Postgres' | 'jobs'
  /** A file, a schema, or a row of a table. */
  readonly place: string
  /** False for jobs: their effects outside would be repeated. */
  readonly canBeRebuilt: boolean
  /** Rows changed so far, or jobs entered. A rebuild resets it. */
  readonly changes: () => Promise<number>
  readonly checkpoint: () => Promise<Checkpoint | undefined>
  /** True when the shape of its tables is not that of this version. */
  readonly hasOtherShape: () => Promise<boolean>
  /** Dead letters and skipped events included. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  readonly wishes: Pick<Wishes, 'all' | 'add' | 'remove'>
  /** True when a process seems to be writing it. */
  readonly isWritten: () => Promise<boolean>
}

const hasTable = (db: Database.Database, name: string) =>
  db.prepare('select 1 from sqlite_master where type = ? and name = ?').get('table', name) !== undefined

/** Undefined when there is no such file. */
export const readFile = <T>(file: string, read: (db: Database.Database) => T): T | undefined => {
  if (!existsSync(file)) return undefined
  const db = new Database(file, { readonly: true, timeout: busyTimeoutMs })
  try {
    return read(db)
  } finally {
    db.close()
  }
}

export const edgeFollower = (directory: string, model: Model): Follower => {
  const { name, version, categories } = model
  const file = sqliteFile(directory, model)
  const stored = async () => readFile(file, (db) => (hasTable(db, 'checkpoint') ? checkpointQuery(db)() : undefined))
  const openWishes = () => openSqliteWishes(directory, `${name}.v${version}`)
  /** Reading must not create the file. */
  const isThere = () => existsSync(path.join(directory, 'wishes.sqlite'))
  const wishing = async <T>(work: (wishes: Wishes) => Promise<T>): Promise<T> => {
    const wishes = openWishes()
    try {
      return await work(wishes)
    } finally {
      wishes.close()
    }
  }
  return {
    name,
    version,
    categories,
    service: 'edge-projector',
    kind: 'SQLite',
    place: file,
    canBeRebuilt: true,
    changes: async () =>
      readFile(file, (db) =>
        hasTable(db, 'feed')
          ? db.prepare<[], number>('select coalesce(max(lastChange), 0) from feed').pluck().get()
          : 0,
      ) ?? 0,
    checkpoint: async () => (await stored())?.checkpoint,
    hasOtherShape: async () => {
      const found = await stored()
      return found !== undefined && found.shape !== shapeOf(model)
    },
    parked: async () =>
      readFile(file, (db) =>
        hasTable(db, 'parked') ? db.prepare<[], string>('select details from parked').pluck().all() : [],
      )?.map(parkedFromRow) ?? [],
    wishes: {
      all: async () => (isThere() ? wishing((wishes) => wishes.all()) : []),
      add: async (wish) => {
        if (!existsSync(directory))
          throw new Rejection(
            'read_model_not_ready',
            `There is no folder ${directory} (EDGE_DIRECTORY): the tool has to run where edge-projector does.`,
          )
        return wishing((wishes) => wishes.add(wish))
      },
      remove: async (wish) => isThere() && wishing((wishes) => wishes.remove(wish)),
    },
    isWritten: () => hasWaker(socketFile(directory, model)),
  }
}

/** Postgres' answer, or `otherwise` where the tables do not exist yet. */
const ifMade = <T>(reading: Promise<T>, otherwise: () => T): Promise<T> =>
  reading.catch((error: unknown) => {
    if (error instanceof pg.DatabaseError && (error.code === undefinedTable || error.code === invalidSchema))
      return otherwise()
    throw error
  })

const leaseHeld = async (pool: pg.Pool, name: string): Promise<boolean> => {
  const text = 'select from headwater.leases where name = $1 and expires_at > clock_timestamp()'
  const { rowCount } = await ifMade<{ rowCount: number | null }>(pool.query(text, [name]), () => ({ rowCount: 0 }))
  return rowCount === 1
}

const inPostgres = (
  pool: pg.Pool,
  service: Follower['service'],
  name: string,
): Pick<Follower, 'service' | 'parked' | 'wishes' | 'isWritten'> => {
  const wishes = postgresWishes(pool, name)
  const nowhere = () => {
    throw new Rejection(
      'read_model_not_ready',
      `Postgres has no tables for that yet: ${service} makes them when it starts.`,
    )
  }
  return {
    service,
    parked: () => ifMade(readParked(pool, name), () => []),
    wishes: {
      all: () => ifMade(wishes.all(), () => []),
      add: (wish) => ifMade(wishes.add(wish), nowhere),
      remove: (wish) => ifMade(wishes.remove(wish), () => false),
    },
    isWritten: () => leaseHeld(pool, name),
  }
}

export const dashboardFollower = (pool: pg.Pool, model: Model): Follower => {
  const { name, version, categories } = model
  const schema = schemaName(model)
  const stored = () => ifMade(readCheckpoint(pool, schema), () => undefined)
  return {
    name,
    version,
    categories,
    kind: 'Postgres',
    place: schema,
    canBeRebuilt: true,
    changes: async () => {
      const query = pool.query<{ changes: number }>(
        `select coalesce(max(last_change), 0) as changes from ${schema}.feed`,
      )
      const { rows } = await ifMade<{ rows: { changes: number }[] }>(query, () => ({ rows: [] }))
      return rows[0]?.changes ?? 0
    },
    checkpoint: async () => (await stored())?.checkpoint,
    hasOtherShape: async () => {
      const found = await stored()
      return found !== undefined && found.shape !== shapeOf(model)
    },
    ...inPostgres(pool, 'dashboard-projector', schema),
  }
}

/** A follower with its checkpoint in `headwater.followers`. */
export const jobsFollower = (pool: pg.Pool, name: string, categories: readonly string[]): Follower => ({
  name,
  version: 1,
  categories,
  kind: 'jobs',
  place: 'headwater.followers',
  canBeRebuilt: false,
  checkpoint: async () => {
    const text = 'select * from headwater.followers where name = $1'
    const query = pool.query<CheckpointRow>({ text, values: [name], types: bigints })
    const { rows } = await ifMade<{ rows: CheckpointRow[] }>(query, () => ({ rows: [] }))
    return rows[0] && checkpointOf(rows[0])
  },
  hasOtherShape: async () => false,
  changes: async () => {
    // Counting the ledger would read all jobs ever entered; Postgres' statistics have the number.
    const text = "select pg_stat_get_tuples_inserted('headwater.jobs'::regclass)::int8 as changes"
    const query = pool.query<{ changes: number }>(text)
    const { rows } = await ifMade<{ rows: { changes: number }[] }>(query, () => ({ rows: [] }))
    return Number(rows[0]?.changes ?? 0)
  },
  ...inPostgres(pool, 'jobs', name),
})

/** Adds the dead letters to its parked events. */
export const withDeadLetters = (follower: Follower): Follower => ({
  ...follower,
  parked: async () => allParked(await follower.parked(), await follower.checkpoint()),
})
