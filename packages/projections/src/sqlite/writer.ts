// The statements that write a SQLite file: its tables, the steps, and the claim to write.
import type { Position } from '@headwater/eventstore/position'
import type Database from 'better-sqlite3'
import { feedLengthMax, feedOf, type RowChange } from '../model/changes.ts'
import { StepUndone, wrongShape } from '../model/halt.ts'
import { deadLettersText, type Parking, parkedRow } from '../model/parked.ts'
import { type ReadModel, type Row, shapeOf, type Table } from '../model/read-model.ts'
import { rowsRemovedMax, TooManyRows } from '../model/removal.ts'
import { type Keys, mergeRows, type StoredRows } from '../model/rows.ts'
import type { Checkpoint, Removal, Step } from '../model/sink.ts'
import { checkpointQuery, checkpointSchema, feedSchema, parkedSchema } from './file.ts'

const quoted = (name: string) => `"${name}"`
const list = (names: readonly string[]) => names.map(quoted).join(', ')

const tableSchema = (name: string, { key, columns, indexes }: Table): readonly string[] => {
  const column = ([column, type]: [string, string]) =>
    `${quoted(column)} ${type.endsWith(' or null') ? type.slice(0, -' or null'.length) : `${type} not null`}`
  return [
    `create table ${quoted(name)} (${Object.entries(columns).map(column).join(', ')}, primary key (${quoted(key)})) strict`,
    ...indexes.map((names, n) => `create index ${quoted(`${name}${n}`)} on ${quoted(name)} (${list(names)})`),
  ]
}

/** Reads and writes the rows of one table by their keys. */
const openTable = (db: Database.Database, name: string, { key, columns }: Table) => {
  const names = Object.keys(columns)
  const updates = names
    .filter((column) => column !== key)
    .map((column) => `${quoted(column)} = excluded.${quoted(column)}`)
  const selectBy = (column: string, limit = '') =>
    db.prepare<[string], Row & Record<string, string>>(
      `select ${list(names)} from ${quoted(name)} where ${quoted(column)} in (select value from json_each(?))${limit}`,
    )
  const select = selectBy(key)
  const rowsOf = (selected: typeof select, values: ReadonlySet<string>): ReadonlyMap<string, Row> =>
    new Map(selected.all(JSON.stringify([...values])).map((row) => [String(row[key]), row]))
  const upsert = db.prepare(
    `insert into ${quoted(name)} (${list(names)}) values (${names.map(() => '?').join(', ')})
     on conflict do update set ${updates.join(', ')}`,
  )
  const remove = db.prepare(`delete from ${quoted(name)} where ${quoted(key)} = ?`)
  return {
    load: (keys: ReadonlySet<string>) => rowsOf(select, keys),
    loadRemoved: (column: string, values: ReadonlySet<string>) =>
      rowsOf(selectBy(column, ` limit ${rowsRemovedMax + 1}`), values),
    write: ({ key, after }: RowChange) => {
      if (after) upsert.run(names.map((column) => after[column]))
      else remove.run(key)
    },
  }
}

/** Writes the list of parked events. Rows then change while the checkpoint does not: the feed restarts. */
const openParked = (db: Database.Database) => {
  const put = db.prepare(
    `insert into parked (eventId, stream, isSkipped, details) values (?, ?, ?, ?)
     on conflict do update set isSkipped = excluded.isSkipped, details = excluded.details`,
  )
  const remove = db.prepare('delete from parked where eventId = ?')
  const lastChange = db.prepare<[], number>('select coalesce(max(lastChange), 0) from feed').pluck()
  const forget = db.prepare('delete from feed')
  const begin = db.prepare(
    `insert into feed (firstChange, lastChange, sinceCommit, sincePrepare, commitPosition, preparePosition, changes)
     values (:change, :change, :commit, :prepare, :commit, :prepare, '[]')`,
  )
  return {
    /** False when one is not on the list. */
    remove: (eventIds: Parking['removed']) => eventIds.every((id) => remove.run(id).changes > 0),
    put: (parking: Parking, { commit, prepare }: Position) => {
      for (const { eventId, stream, isSkipped, details } of parking.put.map(parkedRow))
        put.run(eventId, stream, isSkipped ? 1 : 0, details)
      const change = (lastChange.get() ?? 0) + 1
      forget.run()
      begin.run({ change, commit, prepare })
    },
  }
}

/** Reads the rows that a step needs. */
const stepLoader = (tableOf: (name: string) => ReturnType<typeof openTable>) => {
  const load = (keys: Keys): StoredRows =>
    new Map([...keys].map(([name, wanted]) => [name, tableOf(name).load(wanted)]))
  const counted = (removal: Removal, rows: StoredRows): StoredRows => mergeRows(rows, load(removal.counting(rows)))
  /** Removes rows in parts until the rest can be held. @returns the tables that have changed, and the rest */
  const removeInParts = (removal: Removal): readonly [ReadonlySet<string>, StoredRows] => {
    const changed = new Set<string>()
    let rest: StoredRows = new Map()
    for (const { table, column, values } of removal.selections) {
      let rows = tableOf(table).loadRemoved(column, values)
      for (; rows.size > rowsRemovedMax; rows = tableOf(table).loadRemoved(column, values)) {
        if (!removal.inParts) throw new TooManyRows(table, column)
        for (const change of removal.inParts(counted(removal, new Map([[table, rows]])))) {
          tableOf(change.table).write(change)
          changed.add(change.table)
        }
      }
      rest = mergeRows(rest, new Map([[table, rows]]))
    }
    return [changed, rest]
  }
  return ({ keys, removal }: Step) => {
    if (!removal) return { changed: new Set<string>(), stored: load(keys) }
    const [changed, removed] = removeInParts(removal)
    return { changed, stored: counted(removal, mergeRows(load(keys), removed)) }
  }
}

/** The statements of a writer, prepared once for an open file. */
export const openWriter = (db: Database.Database, { tables }: ReadModel) => {
  const stored = new Map(Object.entries(tables).map(([name, table]) => [name, openTable(db, name, table)]))
  const tableOf = (name: string) => {
    const table = stored.get(name)
    if (!table) throw new Error(`The read model has no table ${name}.`)
    return table
  }
  const move = db.prepare(
    `update checkpoint set commitPosition = ?, preparePosition = ?, eventId = ?, eventCommit = ?, eventPrepare = ?,
       deadLetters = ?, replacedTexts = ?
     where commitPosition = ? and preparePosition = ? and epoch = ? and deadLetters = ?`,
  )
  const feed = db.prepare(
    `with before as (select coalesce(max(lastChange), 0) as changes from feed)
     insert into feed (firstChange, lastChange, sinceCommit, sincePrepare, commitPosition, preparePosition, changes)
     select changes + 1, changes + ?, ?, ?, ?, ?, ? from before`,
  )
  const trim = db.prepare('delete from feed where lastChange <= (select max(lastChange) from feed) - ?')
  const parked = openParked(db)
  const loadStep = stepLoader(tableOf)
  const write = db.transaction((step: Step): void => {
    const { from, to, evolve, parking } = step
    const event = to.lastEvent
    const moved = move.run(
      to.position.commit,
      to.position.prepare,
      event?.id ?? null,
      event?.position.commit ?? null,
      event?.position.prepare ?? null,
      deadLettersText(to.deadLetters),
      to.replacedTexts,
      from.position.commit,
      from.position.prepare,
      from.epoch,
      deadLettersText(from.deadLetters),
    )
    if (moved.changes === 0 || (parking && !parked.remove(parking.removed))) throw new StepUndone()
    const { changed, stored } = loadStep(step)
    const changes = evolve(stored)
    for (const change of changes) tableOf(change.table).write(change)
    if (parking) parked.put(parking, to.position)
    else if (changes.length + changed.size > 0) {
      const { position: since } = from
      const { position } = to
      const kept = feedOf(changes, changed)
      feed.run(kept.length, since.commit, since.prepare, position.commit, position.prepare, JSON.stringify(kept))
      trim.run(feedLengthMax)
    }
  }).immediate
  return (step: Step): 'committed' | 'superseded' => {
    try {
      write(step)
      return 'committed'
    } catch (error) {
      if (error instanceof StepUndone) return 'superseded'
      throw error
    }
  }
}

/** Columns that files of earlier releases do not have. */
const addedColumns = {
  build: "text not null default ''",
  deadLetters: "text not null default '[]'",
  replacedTexts: 'integer not null default 0',
}

const addColumns = (db: Database.Database) => {
  const columns = db.prepare<[], string>("select name from pragma_table_info('checkpoint')").pluck().all()
  for (const [name, definition] of Object.entries(addedColumns))
    if (!columns.includes(name)) db.exec(`alter table checkpoint add column ${name} ${definition}`)
}

/** Creates missing tables and takes over the checkpoint: earlier writers can no longer write. */
export const claimFile = (db: Database.Database, model: ReadModel, storeId: string, build: string): Checkpoint => {
  db.exec(checkpointSchema)
  db.exec(feedSchema)
  db.exec(parkedSchema)
  addColumns(db)
  const inserted = db
    .prepare(
      `insert into checkpoint (one, commitPosition, preparePosition, storeId, epoch, shape, build)
       values (1, 0, 0, ?, 0, ?, ?) on conflict do nothing`,
    )
    .run(storeId, shapeOf(model), build)
  if (inserted.changes > 0)
    for (const [name, table] of Object.entries(model.tables))
      for (const statement of tableSchema(name, table)) db.exec(statement)
  db.exec('update checkpoint set epoch = epoch + 1')
  const stored = checkpointQuery(db)()
  if (stored?.shape !== shapeOf(model)) throw wrongShape(db.name)
  return stored.checkpoint
}
