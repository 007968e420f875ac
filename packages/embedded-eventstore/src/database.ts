// Opens the SQLite database that holds the events, for this process alone.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

export type Database = Sqlite.Database

const schemaVersion = 1
/** In the folder. */
export const fileName = 'eventstore.sqlite'
const cacheSizeKiB = 64 * 1024
const walPagesBeforeCheckpoint = 4000
const walBytesKept = 64 * 1024 * 1024

// `keys` holds two entries an event, so that those of one small stream share a page:
//   (stream, revision, position) and (stream, negative hash of the event id, position).
const schema = `
  CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    type INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL
  );
  CREATE TABLE keys (
    stream INTEGER NOT NULL,
    key INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (stream, key, position)
  ) WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`

const isBusy = (error: unknown): boolean =>
  error instanceof Sqlite.SqliteError && (error.code.startsWith('SQLITE_BUSY') || error.code === 'SQLITE_LOCKED')

const prepare = (database: Database, place: string, flush: boolean): void => {
  // Exclusive before the first access: the lock is the kernel's, so it ends with the process however that ends.
  database.pragma('locking_mode = EXCLUSIVE')
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${flush ? 'FULL' : 'OFF'}`)
  database.pragma(`cache_size = -${cacheSizeKiB}`)
  database.pragma(`wal_autocheckpoint = ${walPagesBeforeCheckpoint}`)
  database.pragma(`journal_size_limit = ${walBytesKept}`)
  database.exec('BEGIN IMMEDIATE')
  const version = database.pragma('user_version', { simple: true })
  if (version === 0) database.exec(schema)
  else if (version !== schemaVersion) {
    throw new Error(
      `${place} has layout ${version}; this version of embedded-eventstore knows layout ${schemaVersion}.`,
    )
  }
  database.exec('COMMIT')
}

/**
 * @param directory undefined: everything is kept in memory
 * @param flush whether a commit waits until it is on the disk itself
 */
export const openDatabase = (directory: string | undefined, flush = true): Database => {
  if (directory !== undefined) mkdirSync(directory, { recursive: true })
  const place = directory === undefined ? ':memory:' : join(directory, fileName)
  const database = new Sqlite(place, { timeout: 0 })
  try {
    prepare(database, place, flush)
  } catch (error) {
    database.close()
    if (isBusy(error)) {
      throw new Error(`Another process uses ${place}. One folder serves one embedded-eventstore at a time.`)
    }
    throw error
  }
  return database
}
