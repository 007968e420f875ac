// Keeps a read model in a schema of Postgres, one writer at a time; a projection writes it through this.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Logger } from 'pino'
import { type Change, feedLengthMax } from './changes.ts'
import { type Lease, takeLease } from './lease.ts'
import { migrate } from './migrations/migrate.ts'
import { blamePostgres, inTransaction, openPool } from './postgres-pool.ts'
import { createSchema, list, postgresType, quoted, readCheckpoint, schemaName } from './postgres-schema.ts'
import { type ReadModel, type Row, shapeOf, type Table } from './read-model.ts'
import { type Checkpoint, type Sink, type Step, wrongShape } from './sink.ts'

/** One writes rows, one renews the lease. */
const connectionsMax = 2

/**
 * Reading and writing the rows of one table by their keys. Statements have no names: a plan that Postgres kept from
 * when the table was small would read all of it for ever.
 */
const tableQueries = (schema: string, name: string, { key, columns }: Table) => {
  const names = Object.keys(columns)
  const table = `${schema}.${quoted(name)}`
  const arrays = Object.values(columns).map((type, n) => `$${n + 1}::${postgresType(type)}[]`)
  const updates = names
    .filter((column) => column !== key)
    .map((column) => `${quoted(column)} = excluded.${quoted(column)}`)
  const select = `select ${list(names)} from ${table} where ${quoted(key)} = any($1::text[])`
  const upsert = `insert into ${table} (${list(names)}) select * from unnest(${arrays.join(', ')})
                  on conflict (${quoted(key)}) do update set ${updates.join(', ')}`
  const remove = `delete from ${table} where ${quoted(key)} = any($1::text[])`
  return {
    name,
    load: async (client: pg.PoolClient, keys: ReadonlySet<string>): Promise<ReadonlyMap<string, Row>> => {
      const { rows } = await client.query<Row, [string[]]>({ text: select, values: [[...keys]] })
      return new Map(rows.map((row) => [String(row[key]), row]))
    },
    write: async (client: pg.PoolClient, changes: readonly Change[]): Promise<void> => {
      const rows = changes.map(({ after }) => after).filter((after) => after !== null)
      const values = names.map((column) => rows.map((row) => row[column]))
      if (rows.length > 0) await client.query({ text: upsert, values })
      const removed = changes.filter(({ after }) => after === null).map(({ key }) => key)
      if (removed.length > 0) await client.query({ text: remove, values: [removed] })
    },
  }
}

/** Takes a step in an open transaction. */
const stepWriter = (model: ReadModel) => {
  const schema = schemaName(model)
  const tables = Object.entries(model.tables).map(([name, table]) => tableQueries(schema, name, table))
  // The notification is sent when the transaction commits.
  const move = `update ${schema}.checkpoint
    set commit_position = $1, prepare_position = $2, event_id = $3, event_commit = $4, event_prepare = $5
    where commit_position = $6 and prepare_position = $7 and epoch = $8
    returning pg_notify('${schema}', '')`
  const feed = `with before as (select coalesce(max(last_change), 0) as changes from ${schema}.feed), added as (
      insert into ${schema}.feed
        (first_change, last_change, since_commit, since_prepare, commit_position, prepare_position, changes)
      select changes + 1, changes + $1, $2, $3, $4, $5, $6 from before
      returning last_change
    )
    delete from ${schema}.feed where last_change <= (select last_change from added) - $7`
  return async (client: pg.PoolClient, { from, to, keys, evolve }: Step): Promise<'committed' | 'superseded'> => {
    const event = to.lastEvent
    const moved = await client.query({
      text: move,
      values: [
        to.position.commit,
        to.position.prepare,
        event?.id,
        event?.position.commit,
        event?.position.prepare,
        from.position.commit,
        from.position.prepare,
        from.epoch,
      ],
    })
    if (moved.rowCount === 0) return 'superseded'
    const stored = new Map<string, ReadonlyMap<string, Row>>()
    for (const table of tables) stored.set(table.name, await table.load(client, keys.get(table.name) ?? new Set()))
    const changes = evolve(stored)
    if (changes.length === 0) return 'committed'
    for (const table of tables)
      await table.write(
        client,
        changes.filter((change) => change.table === table.name),
      )
    const { position: since } = from
    const { position } = to
    const entry = [
      changes.length,
      since.commit,
      since.prepare,
      position.commit,
      position.prepare,
      JSON.stringify(changes),
    ]
    await client.query({ text: feed, values: [...entry, feedLengthMax] })
    return 'committed'
  }
}

/** Postgres quotes the failing row in an error; what belongs to a person must not come into logs. */
const withoutRow = (error: unknown): unknown =>
  error instanceof pg.DatabaseError ? Object.assign(error, { detail: undefined, where: undefined }) : error

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
  const holder = randomUUID()
  const pool = openPool(url, connectionsMax, logger)
  const write = stepWriter(projection)
  let migrated = false
  let lease: Lease | undefined

  const stored = async (db: pg.Pool | pg.PoolClient): Promise<Checkpoint> => {
    const found = await readCheckpoint(db, projection)
    if (found?.shape !== shapeOf(projection)) throw wrongShape(schema)
    return found.checkpoint
  }

  /** Takes over the checkpoint, if the lease still stands: whoever wrote before cannot any more. */
  const claimSchema = (held: Lease, storeId: string) =>
    inTransaction(pool, 'begin', async (client) => {
      await createSchema(client, projection, storeId)
      const claimed = await client.query(
        `update ${schema}.checkpoint set epoch = checkpoint.epoch + 1 from headwater.leases
         where leases.name = $1 and leases.epoch = $2 and leases.expires_at > clock_timestamp()`,
        [schema, held.epoch],
      )
      return claimed.rowCount ? stored(client) : undefined
    })

  return {
    claim: async (storeId) => {
      if (!migrated) await migrate(pool)
      migrated = true
      lease = await takeLease(pool, schema, holder, logger)
      return lease && claimSchema(lease, storeId)
    },
    checkpoint: () => stored(pool),
    commit: (step) =>
      // Losing the last transactions in a crash of the server loses their checkpoint too: they are done again.
      inTransaction(pool, 'begin; set local synchronous_commit = off', (client) => write(client, step)).catch(
        (error: unknown) => Promise.reject(withoutRow(error)),
      ),
    blame: blamePostgres,
    claimsExpire: true,
    rebuildAdvice: `stop the projector, drop schema ${schema} cascade, and start it again`,
    close: async () => {
      await lease?.release()
      await pool.end()
    },
  }
}
