// Keeps a read model in a SQLite file on the node's own disk; a projection writes it through this.
import { mkdirSync } from 'node:fs'
import type { Position } from '@headwater/eventstore/position'
import Database from 'better-sqlite3'
import type { Logger } from 'pino'
import { type Change, feedLengthMax } from './changes.ts'
import { type ReadModel, type Row, shapeOf, type Table } from './read-model.ts'
import { type Checkpoint, type Sink, type Step, wrongShape } from './sink.ts'
import { busyTimeoutMs, checkpointQuery, checkpointSchema, feedSchema, socketFile, sqliteFile } from './sqlite-file.ts'
import { startWaker, type Waker } from './wake.ts'

const pageCacheKib = 64 * 1024
/** Pages of 4 KiB. Rows that are written again and again move into the file once, not once a thousand pages. */
const walPagesBeforeCheckpoint = 16_000

/** Trouble of the machine, or with others at the file: it passes, with or without an operator. */
const passingTrouble = /^SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN|NOMEM|READONLY|PERM|AUTH|PROTOCOL|INTERRUPT|NOLFS)/
const valuesRefused = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/

const blameSqlite: Sink['blame'] = (error) => {
  if (error instanceof Database.SqliteError) {
    if (valuesRefused.test(error.code)) return 'refused'
    // A file that is damaged, or not what this version made of it, will be so at the next try too.
    return passingTrouble.test(error.code) ? 'unavailable' : 'broken'
  }
  return error instanceof TypeError || error instanceof RangeError ? 'refused' : undefined // values no column can hold
}

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

/** Reading and writing the rows of one table by their keys. */
const openTable = (db: Database.Database, name: string, { key, columns }: Table) => {
  const names = Object.keys(columns)
  const updates = names
    .filter((column) => column !== key)
    .map((column) => `${quoted(column)} = excluded.${quoted(column)}`)
  const select = db.prepare<[string], Row & Record<string, string>>(
    `select ${list(names)} from ${quoted(name)} where ${quoted(key)} in (select value from json_each(?))`,
  )
  const upsert = db.prepare(
    `insert into ${quoted(name)} (${list(names)}) values (${names.map(() => '?').join(', ')})
     on conflict do update set ${updates.join(', ')}`,
  )
  const remove = db.prepare(`delete from ${quoted(name)} where ${quoted(key)} = ?`)
  return {
    load: (keys: ReadonlySet<string>): ReadonlyMap<string, Row> =>
      new Map(select.all(JSON.stringify([...keys])).map((row) => [String(row[key]), row])),
    write: ({ key, after }: Change) => {
      if (after) upsert.run(names.map((column) => after[column]))
      else remove.run(key)
    },
  }
}

/** The statements of a writer, prepared once for an open file. */
const openWriter = (db: Database.Database, { tables }: ReadModel) => {
  const stored = new Map(Object.entries(tables).map(([name, table]) => [name, openTable(db, name, table)]))
  const tableOf = (name: string) => {
    const table = stored.get(name)
    if (!table) throw new Error(`The read model has no table ${name}.`)
    return table
  }
  const move = db.prepare(
    `update checkpoint set commitPosition = ?, preparePosition = ?, eventId = ?, eventCommit = ?, eventPrepare = ?
     where commitPosition = ? and preparePosition = ? and epoch = ?`,
  )
  const feed = db.prepare(
    `with before as (select coalesce(max(lastChange), 0) as changes from feed)
     insert into feed (firstChange, lastChange, sinceCommit, sincePrepare, commitPosition, preparePosition, changes)
     select changes + 1, changes + ?, ?, ?, ?, ?, ? from before`,
  )
  const trim = db.prepare('delete from feed where lastChange <= (select max(lastChange) from feed) - ?')
  return db.transaction(({ from, to, keys, evolve }: Step): 'committed' | 'superseded' => {
    const event = to.lastEvent
    const moved = move.run(
      to.position.commit,
      to.position.prepare,
      event?.id ?? null,
      event?.position.commit ?? null,
      event?.position.prepare ?? null,
      from.position.commit,
      from.position.prepare,
      from.epoch,
    )
    if (moved.changes === 0) return 'superseded'
    const changes = evolve(new Map([...keys].map(([name, keys]) => [name, tableOf(name).load(keys)])))
    for (const change of changes) tableOf(change.table).write(change)
    if (changes.length > 0) {
      const { position: since } = from
      const { position } = to
      feed.run(changes.length, since.commit, since.prepare, position.commit, position.prepare, JSON.stringify(changes))
      trim.run(feedLengthMax)
    }
    return 'committed'
  }).immediate
}

/** Makes the tables where there are none yet, and takes over the checkpoint: whoever wrote before cannot any more. */
const claimFile = (db: Database.Database, model: ReadModel, storeId: string): Checkpoint => {
  db.exec(checkpointSchema)
  db.exec(feedSchema)
  const inserted = db
    .prepare('insert into checkpoint values (1, 0, 0, null, null, null, ?, 0, ?) on conflict do nothing')
    .run(storeId, shapeOf(model))
  if (inserted.changes > 0)
    for (const [name, table] of Object.entries(model.tables))
      for (const statement of tableSchema(name, table)) db.exec(statement)
  db.exec('update checkpoint set epoch = epoch + 1')
  const stored = checkpointQuery(db)()
  if (stored?.shape !== shapeOf(model)) throw wrongShape(db.name)
  return stored.checkpoint
}

export const openSqliteSink = ({
  directory,
  projection,
  logger,
}: {
  readonly directory: string
  readonly projection: ReadModel
  readonly logger: Logger
}): Sink => {
  const file = sqliteFile(directory, projection)
  let db: Database.Database | undefined
  let write: ((step: Step) => 'committed' | 'superseded') | undefined
  let waker: Waker | undefined
  let needed = async (): Promise<Position> => {
    throw new Error('Nothing is projected yet.')
  }

  const open = (): Database.Database => {
    mkdirSync(directory, { recursive: true })
    const opened = new Database(file, { timeout: busyTimeoutMs })
    try {
      opened.pragma('journal_mode = wal')
      opened.pragma('synchronous = normal') // the file can be built again from the events
      opened.pragma(`cache_size = -${pageCacheKib}`)
      opened.pragma(`wal_autocheckpoint = ${walPagesBeforeCheckpoint}`)
      return opened
    } catch (error) {
      opened.close()
      throw error
    }
  }

  return {
    claim: async (storeId) => {
      db ??= open()
      const checkpoint = db.transaction(claimFile).immediate(db, projection, storeId)
      write = openWriter(db, projection)
      waker ??= startWaker(socketFile(directory, projection), () => needed(), logger)
      return checkpoint
    },
    checkpoint: async () => {
      const stored = db && checkpointQuery(db)()
      if (!stored) throw new Error(`${file} has not been claimed.`)
      return stored.checkpoint
    },
    commit: async (step) => {
      if (!write) throw new Error(`${file} has not been claimed.`)
      const outcome = write(step)
      if (outcome === 'committed') waker?.wake()
      return outcome
    },
    tellNeeded: (known) => {
      needed = known
    },
    blame: blameSqlite,
    claimsExpire: false,
    rebuildAdvice: `stop the projector, delete ${file} with its -wal and -shm, and start it again`,
    close: async () => {
      waker?.close()
      db?.close()
    },
  }
}
