// Everything that follows the event store, and where each keeps what it knows: read from there, whether or not it runs.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { jobsRestoreAdvice } from '@headwater/jobs/sink'
import { bigints } from '@headwater/postgres/pool'
import { type CheckpointRow, checkpointOf } from '@headwater/projections/model/checkpoint-row'
import { allParked, type ParkedEvent, parkedFromRow } from '@headwater/projections/model/parked'
import { type ReadModel, shapeOf } from '@headwater/projections/model/read-model'
import type { Checkpoint } from '@headwater/projections/model/sink'
import type { Wishes } from '@headwater/projections/operate/wishes'
import { readParked } from '@headwater/projections/postgres/parked'
import { readCheckpoint, schemaName } from '@headwater/projections/postgres/schema'
import { postgresWishes } from '@headwater/projections/postgres/wishes'
import { busyTimeoutMs, checkpointQuery, socketFile, sqliteFile } from '@headwater/projections/sqlite/file'
import { hasWaker } from '@headwater/projections/sqlite/wake'
import { openSqliteWishes } from '@headwater/projections/sqlite/wishes'
import { jobsCategories } from '@headwater/read-models/followers'
import { dashboardModels, edgeModels } from '@headwater/read-models/read-models'
import Database from 'better-sqlite3'
import pg from 'pg'
import { Refusal } from '../refusal.ts'
import { self } from '../self.ts'
import { didYouMean } from '../suggest.ts'

const undefinedTable = '42P01'
const invalidSchema = '3F000'

type Model = ReadModel & { readonly categories: readonly string[] }

/** What keeps a read model of its own, a checkpoint a name; or the jobs. */
export type Follower = {
  readonly name: string
  readonly version: number
  readonly categories: readonly string[]
  readonly service: 'edge-projector' | 'dashboard-projector' | 'jobs'
  readonly kind: 'SQLite' | 'Postgres' | 'jobs'
  /** A file, a schema, or a row of a table. */
  readonly place: string
  readonly checkpoint: () => Promise<Checkpoint | undefined>
  /** Its tables have another shape than this version's. */
  readonly hasOtherShape: () => Promise<boolean>
  /** Dead letters and those that operators decided to go on without, too. */
  readonly parked: () => Promise<readonly ParkedEvent[]>
  readonly wishes: Pick<Wishes, 'all' | 'add' | 'remove'>
  /** Somebody writes it, as far as that shows. */
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

const edgeFollower = (directory: string, model: Model): Follower => {
  const { name, version, categories } = model
  const file = sqliteFile(directory, model)
  const stored = async () => readFile(file, (db) => (hasTable(db, 'checkpoint') ? checkpointQuery(db)() : undefined))
  const openWishes = () => openSqliteWishes(directory, `${name}.v${version}`)
  /** Whoever only looks leaves no file behind. */
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
          throw new Refusal(
            `There is no folder ${directory} (EDGE_DIRECTORY): the tool has to run where edge-projector does.`,
          )
        return wishing((wishes) => wishes.add(wish))
      },
      remove: async (wish) => isThere() && wishing((wishes) => wishes.remove(wish)),
    },
    isWritten: () => hasWaker(socketFile(directory, model)),
  }
}

/** What Postgres says, or `otherwise` where the tables were not made yet. */
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
    throw new Refusal(`Postgres has no tables for that yet: ${service} makes them when it starts.`)
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

const dashboardFollower = (pool: pg.Pool, model: Model): Follower => {
  const { name, version, categories } = model
  const schema = schemaName(model)
  const stored = () => ifMade(readCheckpoint(pool, schema), () => undefined)
  return {
    name,
    version,
    categories,
    kind: 'Postgres',
    place: schema,
    checkpoint: async () => (await stored())?.checkpoint,
    hasOtherShape: async () => {
      const found = await stored()
      return found !== undefined && found.shape !== shapeOf(model)
    },
    ...inPostgres(pool, 'dashboard-projector', schema),
  }
}

const jobsFollower = (pool: pg.Pool): Follower => ({
  name: 'jobs',
  version: 1,
  categories: jobsCategories,
  kind: 'jobs',
  place: 'headwater.followers',
  checkpoint: async () => {
    const text = 'select * from headwater.followers where name = $1'
    const query = pool.query<CheckpointRow>({ text, values: ['jobs'], types: bigints })
    const { rows } = await ifMade<{ rows: CheckpointRow[] }>(query, () => ({ rows: [] }))
    return rows[0] && checkpointOf(rows[0])
  },
  hasOtherShape: async () => false,
  ...inPostgres(pool, 'jobs', 'jobs'),
})

const withDeadLetters = (follower: Follower): Follower => ({
  ...follower,
  parked: async () => allParked(await follower.parked(), await follower.checkpoint()),
})

export const followersIn = (directory: string, pool: pg.Pool): readonly Follower[] =>
  [
    ...edgeModels.map((model) => edgeFollower(directory, model)),
    ...dashboardModels.map((model) => dashboardFollower(pool, model)),
    jobsFollower(pool),
  ].map(withDeadLetters)

/** @throws Refusal */
export const followerNamed = (followers: readonly Follower[], name: string): Follower => {
  const found = followers.find((one) => one.name === name)
  if (found) return found
  const names = followers.map((one) => one.name)
  throw new Refusal(`There is no projection ${name}.${didYouMean(name, names)} There are: ${names.join(', ')}.`)
}

/** What to do when it cannot be used as it is. */
export const rebuildMend = ({ kind, name }: Follower): string =>
  kind === 'jobs' ? jobsRestoreAdvice : `${self} projections rebuild ${name}`

/** @throws Refusal when that must not be */
export const assertRebuildable = ({ kind }: Follower): void => {
  if (kind === 'jobs')
    throw new Refusal(`Jobs cannot be rebuilt: what they did outside would be done again. ${jobsRestoreAdvice}`)
}
