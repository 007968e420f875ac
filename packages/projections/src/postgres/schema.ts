// The Postgres schema of one version of a read model, with the tables for its checkpoint and change feed.

import { bigints } from '@headwater/postgres/pool'
import type { Pool, PoolClient } from 'pg'
import { type CheckpointRow, checkpointOf } from '../model/checkpoint-row.ts'
import { type ReadModel, shapeOf, type Table } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'

export const quoted = (name: string): string => `"${name}"`
export const list = (names: readonly string[]): string => names.map(quoted).join(', ')

/** The name of the schema, and of the channel on which its commits are notified. */
export const schemaName = ({ name, version }: ReadModel): string => `${name}_v${version}`

/** The schema of a rebuild, until it replaces the current one. */
export const scratchName = (model: ReadModel): string => `${schemaName(model)}_rebuild`

export const postgresType = (type: string): 'text' | 'int8' => (type.startsWith('integer') ? 'int8' : 'text')

/** Text in byte order, as in SQLite, independent of the database's collation. */
const columnType = (type: string): string => (postgresType(type) === 'text' ? 'text collate "C"' : 'int8')

const tableSchema = (schema: string, name: string, { key, columns, indexes }: Table): readonly string[] => {
  const column = ([column, type]: [string, string]) =>
    `${quoted(column)} ${columnType(type)}${type.endsWith(' or null') ? '' : ' not null'}`
  const table = `${schema}.${quoted(name)}`
  return [
    `create table ${table} (${Object.entries(columns).map(column).join(', ')}, primary key (${quoted(key)}))`,
    ...indexes.map((names) => `create index on ${table} (${list(names)})`),
  ]
}

/** The feed has one row per batch with changes; the numbers of its changes continue those of the batch before. */
const ownSchema = (schema: string): readonly string[] => [
  `create table ${schema}.checkpoint (
     one int primary key check (one = 1),
     commit_position int8 not null,
     prepare_position int8 not null,
     event_id text,
     event_commit int8,
     event_prepare int8,
     store_id text not null,
     epoch int8 not null,
     shape text not null,
     build text not null default '',
     dead_letters text not null default '[]',
     replaced_texts int8 not null default 0
   )`,
  `create table ${schema}.feed (
     last_change int8 primary key,
     first_change int8 not null,
     since_commit int8 not null,
     since_prepare int8 not null,
     commit_position int8 not null,
     prepare_position int8 not null,
     changes text not null,
     unique (commit_position, prepare_position)
   )`,
  // Written once and soon deleted: compression would not pay.
  `alter table ${schema}.feed alter column changes set storage external`,
]

/** Undefined until a writer has created the checkpoint. */
export const readCheckpoint = async (
  db: Pool | PoolClient,
  schema: string,
): Promise<{ readonly checkpoint: Checkpoint; readonly shape: string } | undefined> => {
  const { rows } = await db.query<CheckpointRow & { readonly shape: string }>({
    text: `select * from ${schema}.checkpoint`,
    types: bigints,
  })
  const [row] = rows
  return row && { checkpoint: checkpointOf(row), shape: row.shape }
}

/** Columns that schemas of earlier releases do not have. */
const addedColumns = {
  build: "text not null default ''",
  dead_letters: "text not null default '[]'",
  replaced_texts: 'int8 not null default 0',
}

/** Creates a missing schema and its first checkpoint in one transaction. */
export const createSchema = async (
  client: PoolClient,
  { schema, build, model }: { readonly schema: string; readonly build: string; readonly model: ReadModel },
  storeId: string,
): Promise<void> => {
  const found = await client.query('select 1 from pg_catalog.pg_namespace where nspname = $1', [schema])
  if (found.rowCount) {
    // Altered only when a column is missing: `alter` waits for every reader, a backup among them.
    const text = 'select attname as name from pg_catalog.pg_attribute where attrelid = $1::regclass'
    const there = await client.query<{ name: string }>(text, [`${schema}.checkpoint`])
    const missing = Object.entries(addedColumns).filter(([name]) => !there.rows.some((column) => column.name === name))
    const added = missing.map(([name, definition]) => `add column ${name} ${definition}`)
    if (added.length > 0) await client.query(`alter table ${schema}.checkpoint ${added.join(', ')}`)
    return
  }
  const tables = Object.entries(model.tables).flatMap(([name, table]) => tableSchema(schema, name, table))
  for (const statement of [`create schema ${schema}`, ...ownSchema(schema), ...tables]) await client.query(statement)
  await client.query(
    `insert into ${schema}.checkpoint (one, commit_position, prepare_position, store_id, epoch, shape, build)
     values (1, 0, 0, $1, 0, $2, $3)`,
    [storeId, shapeOf(model), build],
  )
}
