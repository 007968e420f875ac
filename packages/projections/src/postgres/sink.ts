// Writes a read model into a Postgres schema, one writer at a time.
import { randomUUID } from 'node:crypto'
import type { Position } from '@headwater/eventstore/position'
import { type Lease, takeLease } from '@headwater/postgres/lease'
import { migrate } from '@headwater/postgres/migrate'
import { blamePostgres, inTransaction, openPool } from '@headwater/postgres/pool'
import pg from 'pg'
import type { Logger } from 'pino'
import { feedLengthMax, feedOf, type RowChange } from '../model/changes.ts'
import { moveCheckpoint, moveValues } from '../model/checkpoint-row.ts'
import { StepUndone, wrongShape } from '../model/halt.ts'
import { type ReadModel, type Row, shapeOf, type Table } from '../model/read-model.ts'
import { rowsRemovedMax, TooManyRows } from '../model/removal.ts'
import { type Keys, mergeRows, type StoredRows } from '../model/rows.ts'
import type { Checkpoint, Removal, Sink, Step } from '../model/sink.ts'
import { readParked, writeParking } from './parked.ts'
import { createSchema, list, postgresType, quoted, readCheckpoint, schemaName, scratchName } from './schema.ts'
import { postgresWishes } from './wishes.ts'

/** One writes rows, one renews the lease, one reads operator requests; two more during a rebuild. */
const connectionsMax = 5

/**
 * Reads and writes the rows of one table by their keys. Statements have no names: Postgres would keep a plan from when
 * the table was small, and scan all of it.
 */
const tableQueries = (schema: string, name: string, { key, columns }: Table) => {
  const names = Object.keys(columns)
  const table = `${schema}.${quoted(name)}`
  const arrays = Object.values(columns).map((type, n) => `$${n + 1}::${postgresType(type)}[]`)
  const updates = names
    .filter((column) => column !== key)
    .map((column) => `${quoted(column)} = excluded.${quoted(column)}`)
  const selectBy = (column: string, limit = '') =>
    `select ${list(names)} from ${table} where ${quoted(column)} = any($1::text[])${limit}`
  const upsert = `insert into ${table} (${list(names)}) select * from unnest(${arrays.join(', ')})
                  on conflict (${quoted(key)}) do update set ${updates.join(', ')}`
  const remove = `delete from ${table} where ${quoted(key)} = any($1::text[])`
  const rowsOf = async (
    client: pg.PoolClient,
    text: string,
    values: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, Row>> => {
    const { rows } = await client.query<Row, [string[]]>({ text, values: [[...values]] })
    return new Map(rows.map((row) => [String(row[key]), row]))
  }
  return {
    name,
    load: async (client: pg.PoolClient, keys: ReadonlySet<string>) => rowsOf(client, selectBy(key), keys),
    loadRemoved: (client: pg.PoolClient, column: string, values: ReadonlySet<string>) =>
      rowsOf(client, selectBy(column, ` limit ${rowsRemovedMax + 1}`), values),
    write: async (client: pg.PoolClient, changes: readonly RowChange[]): Promise<void> => {
      const rows = changes.map(({ after }) => after).filter((after) => after !== null)
      const values = names.map((column) => rows.map((row) => row[column]))
      if (rows.length > 0) await client.query({ text: upsert, values })
      const removed = changes.filter(({ after }) => after === null).map(({ key }) => key)
      if (removed.length > 0) await client.query({ text: remove, values: [removed] })
    },
  }
}

/** Writes a step in an open transaction. */
const stepWriter = (model: ReadModel, schema: string) => {
  const tables = Object.entries(model.tables).map(([name, table]) => tableQueries(schema, name, table))
  // Postgres sends the notification on commit.
  const move = `${moveCheckpoint(`${schema}.checkpoint`)} returning pg_notify('${schema}', '')`
  const feed = `with before as (select coalesce(max(last_change), 0) as changes from ${schema}.feed), added as (
      insert into ${schema}.feed
        (first_change, last_change, since_commit, since_prepare, commit_position, prepare_position, changes)
      select changes + 1, changes + $1, $2, $3, $4, $5, $6 from before
      returning last_change
    )
    delete from ${schema}.feed where last_change <= (select last_change from added) - $7`
  /** Restarts the feed: rows have changed while the checkpoint has not. */
  const beginFeed = async (client: pg.PoolClient, { commit, prepare }: Position): Promise<void> => {
    const forget = `with forgotten as (delete from ${schema}.feed returning last_change)
      select coalesce(max(last_change), 0) + 1 as change from forgotten`
    const begin = `insert into ${schema}.feed
        (first_change, last_change, since_commit, since_prepare, commit_position, prepare_position, changes)
      values ($1, $1, $2, $3, $2, $3, '[]')`
    const forgotten = await client.query<{ change: number }>(forget)
    await client.query(begin, [forgotten.rows[0]?.change, commit, prepare])
  }
  const load = async (client: pg.PoolClient, keys: Keys): Promise<StoredRows> => {
    const stored = new Map<string, ReadonlyMap<string, Row>>()
    for (const table of tables) stored.set(table.name, await table.load(client, keys.get(table.name) ?? new Set()))
    return stored
  }
  const write = async (client: pg.PoolClient, changes: readonly RowChange[]): Promise<void> => {
    for (const table of tables)
      await table.write(
        client,
        changes.filter((change) => change.table === table.name),
      )
  }
  const counted = async (client: pg.PoolClient, removal: Removal, rows: StoredRows): Promise<StoredRows> =>
    mergeRows(rows, await load(client, removal.counting(rows)))
  /** Removes rows in parts until the rest can be held. @returns the tables that have changed, and the rest */
  const removeInParts = async (client: pg.PoolClient, removal: Removal) => {
    const changed = new Set<string>()
    let rest: StoredRows = new Map()
    for (const { table, column, values } of removal.selections) {
      const selected = async () => {
        const rows = await tables.find(({ name }) => name === table)?.loadRemoved(client, column, values)
        return rows ?? new Map<string, Row>()
      }
      let rows = await selected()
      for (; rows.size > rowsRemovedMax; rows = await selected()) {
        if (!removal.inParts) throw new TooManyRows(table, column)
        const changes = removal.inParts(await counted(client, removal, new Map([[table, rows]])))
        await write(client, changes)
        for (const change of changes) changed.add(change.table)
      }
      rest = mergeRows(rest, new Map([[table, rows]]))
    }
    return [changed, rest] as const
  }
  const loadStep = async (client: pg.PoolClient, { keys, removal }: Step) => {
    if (!removal) return { changed: new Set<string>(), stored: await load(client, keys) }
    const [changed, removed] = await removeInParts(client, removal)
    return { changed, stored: await counted(client, removal, mergeRows(await load(client, keys), removed)) }
  }
  return async (client: pg.PoolClient, step: Step): Promise<void> => {
    const { from, to, evolve, parking } = step
    const moved = await client.query({ text: move, values: [...moveValues(step)] })
    if (moved.rowCount === 0) throw new StepUndone()
    if (parking && !(await writeParking(client, schema, parking))) throw new StepUndone()
    const { changed, stored } = await loadStep(client, step)
    const changes = evolve(stored)
    await write(client, changes)
    if (parking) return beginFeed(client, to.position)
    if (changes.length + changed.size === 0) return
    const { position: since } = from
    const { position } = to
    const kept = feedOf(changes, changed)
    const entry = [kept.length, since.commit, since.prepare, position.commit, position.prepare, JSON.stringify(kept)]
    await client.query({ text: feed, values: [...entry, feedLengthMax] })
  }
}

/** Removes the failing row that Postgres quotes in an error: personal data must not reach logs. */
const withoutRow = (error: unknown): unknown =>
  error instanceof pg.DatabaseError ? Object.assign(error, { detail: undefined, where: undefined }) : error

type PostgresSink = {
  readonly pool: pg.Pool
  readonly schema: string
  /** Of a new schema. */
  readonly build: string
  readonly projection: ReadModel
  readonly logger: Logger
}

const openSink = ({ pool, schema, build, projection, logger }: PostgresSink): Omit<Sink, 'rebuildAdvice'> => {
  const holder = randomUUID()
  const write = stepWriter(projection, schema)
  let migrated = false
  let lease: Lease | undefined

  const stored = async (db: pg.Pool | pg.PoolClient): Promise<Checkpoint> => {
    const found = await readCheckpoint(db, schema)
    if (found?.shape !== shapeOf(projection)) throw wrongShape(schema)
    return found.checkpoint
  }

  /** Takes over the checkpoint if the lease is still held: earlier writers can no longer write. */
  const claimSchema = (held: Lease, storeId: string) =>
    inTransaction(pool, 'begin', async (client) => {
      await createSchema(client, { schema, build, model: projection }, storeId)
      const claimed = await client.query(
        `update ${schema}.checkpoint set epoch = checkpoint.epoch + 1 from headwater.leases
         where leases.name = $1 and leases.epoch = $2 and leases.expires_at > clock_timestamp()`,
        [schema, held.epoch],
      )
      return claimed.rowCount ? stored(client) : undefined
    })

  const release = async () => {
    await lease?.release()
    lease = undefined
  }

  return {
    claim: async (storeId) => {
      if (!migrated) await migrate(pool)
      migrated = true
      lease = await takeLease(pool, schema, holder, logger)
      return lease && claimSchema(lease, storeId)
    },
    checkpoint: () => stored(pool),
    parked: () => readParked(pool, schema),
    commit: (step) =>
      // A crash of the server loses a transaction together with its checkpoint: it is repeated.
      inTransaction(pool, 'begin; set local synchronous_commit = off', (client) => write(client, step)).then(
        () => 'committed',
        (error: unknown) => (error instanceof StepUndone ? 'superseded' : Promise.reject(withoutRow(error))),
      ),
    blame: blamePostgres,
    claimsExpire: true,
    release,
    close: release,
  }
}

/** Waits for current readers, and blocks new ones until the schema has been replaced. */
const takePlace = (pool: pg.Pool, built: string, schema: string): Promise<void> =>
  inTransaction(pool, 'begin', async (client) => {
    await client.query(`lock table ${schema}.checkpoint in access exclusive mode`)
    // A claim on the old schema is no claim on the new one.
    await client.query(
      `update ${built}.checkpoint as built set epoch = greatest(built.epoch, old.epoch) + 1 from ${schema}.checkpoint as old`,
    )
    await client.query(`alter schema ${schema} rename to ${schema}_old`)
    await client.query(`alter schema ${built} rename to ${schema}`)
    await client.query('delete from headwater.parked_events where follower = $1', [schema])
    await client.query('update headwater.parked_events set follower = $1 where follower = $2', [schema, built])
    await client.query(`drop schema ${schema}_old cascade`)
    await client.query(`notify ${schema}`)
  })

export const openPostgresSink = ({
  url,
  projection,
  logger,
}: {
  readonly url: string
  readonly projection: ReadModel
  readonly logger: Logger
}): Sink => {
  const schema = schemaName(projection)
  const built = scratchName(projection)
  const pool = openPool(url, connectionsMax, logger)
  const rebuildAdvice = `The read model ${projection.name} has to be rebuilt: npm run headwater -- projections rebuild ${projection.name}.`
  const serving = openSink({ pool, schema, build: '', projection, logger })
  return {
    ...serving,
    wishes: postgresWishes(pool, schema),
    scratch: {
      open: () => ({
        ...openSink({ pool, schema: built, build: `+${randomUUID()}`, projection, logger }),
        rebuildAdvice,
      }),
      swap: () => takePlace(pool, built, schema),
      drop: () =>
        inTransaction(pool, 'begin', async (client) => {
          await client.query(`drop schema if exists ${built} cascade`)
          await client.query('delete from headwater.parked_events where follower = $1', [built])
        }),
    },
    rebuildAdvice,
    close: async () => {
      await serving.close()
      await pool.end()
    },
  }
}
