// Opens the SQLite database with the events, exclusively for this process.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { Damaged } from './damaged.ts'
import { breakSeal, checkedBytesMax, checkSeal, closeSealed } from './seal.ts'
import { walDamage } from './wal-damage.ts'

export type Database = Sqlite.Database

const schemaVersion = 1
export const fileName = 'eventstore.sqlite'
const cacheSizeKiB = 16 * 1024
const walPagesBeforeCheckpoint = 4000
const walBytesKept = 64 * 1024 * 1024

// `keys` holds two entries per event, so that those of a small stream share a page:
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

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Sqlite.SqliteError && codes.some((code) => error.code.startsWith(code))
const isBusy = (error: unknown): boolean => hasCode(error, 'SQLITE_BUSY', 'SQLITE_LOCKED')

// Before SQLite opens it: SQLite would treat the damaged log as shorter, and overwrite the rest.
const refuseDamagedLog = (place: string): void => {
  if (walDamage(place) === undefined) return
  // A log that another process is writing may look damaged; that process holds the lock.
  const look = new Sqlite(place, { readonly: true, timeout: 0 })
  try {
    look.pragma('user_version')
  } catch (error) {
    if (isBusy(error)) throw error
  } finally {
    look.close()
  }
  // No other process is writing it: damage found now is real.
  const still = walDamage(place)
  if (still !== undefined) throw new Damaged(place, still)
}

const checkStructure = (database: Database, place: string): void => {
  if (statSync(place).size > checkedBytesMax) return
  const found = database.pragma('quick_check(1)', { simple: true })
  if (found !== 'ok') throw new Damaged(place, String(found).replaceAll('\n', ' '))
}

type Opening = { readonly flush: boolean; readonly isWhole: boolean }

const prepare = (database: Database, place: string, { flush, isWhole }: Opening): void => {
  // Exclusive before the first access: the kernel releases the lock however the process ends.
  database.pragma('locking_mode = EXCLUSIVE')
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${flush ? 'FULL' : 'OFF'}`)
  database.pragma(`cache_size = -${cacheSizeKiB}`)
  database.pragma(`wal_autocheckpoint = ${walPagesBeforeCheckpoint}`)
  database.pragma(`journal_size_limit = ${walBytesKept}`)
  database.exec('BEGIN IMMEDIATE')
  if (!database.memory) breakSeal(place)
  const version = database.pragma('user_version', { simple: true })
  if (version === 0) database.exec(schema)
  else if (version !== schemaVersion) {
    throw new Error(
      `${place} has layout ${version}; this version of embedded-eventstore knows layout ${schemaVersion}.`,
    )
  }
  database.exec('COMMIT')
  if (!isWhole) checkStructure(database, place)
}

/**
 * @param directory undefined: in memory
 * @param flush true when a commit waits for a flush of the disk
 * @throws when another process uses it, or when it is damaged
 */
export const openDatabase = (directory: string | undefined, flush = true): Database => {
  if (directory !== undefined) mkdirSync(directory, { recursive: true })
  const place = directory === undefined ? ':memory:' : join(directory, fileName)
  let database: Database | undefined
  try {
    const isFile = directory !== undefined && existsSync(place)
    const isWhole = !isFile || checkSeal(place) === 'whole'
    // Without flushes a power cut may leave writes in any order.
    if (isFile && flush) refuseDamagedLog(place)
    database = new Sqlite(place, { timeout: 0 })
    prepare(database, place, { flush, isWhole })
    return database
  } catch (error) {
    database?.close()
    if (isBusy(error)) {
      throw new Error(`Another process uses ${place}. One folder serves one embedded-eventstore at a time.`)
    }
    if (hasCode(error, 'SQLITE_CORRUPT', 'SQLITE_NOTADB')) throw new Damaged(place, (error as Error).message)
    throw error
  }
}

/** Closes it with a checksum, so that changes of the file until the next start are detected. */
export const closeDatabase = (database: Database): void => {
  if (database.memory) database.close()
  else closeSealed(database)
}
