// A checksum of the whole file, left beside it when the node stops: bytes that change until the next start are found.
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Database } from 'better-sqlite3'
import { Damaged } from './damaged.ts'

const chunkBytes = 1024 * 1024

/** Larger ones are checked neither by this nor by SQLite when the node starts, so that it does start. */
export const checkedBytesMax = 1024 * 1024 * 1024

const sealOf = (database: string): string => `${database}.seal`

type Seal = { readonly bytes: number; readonly crc32: number }

const measure = (file: number): Seal => {
  const chunk = Buffer.allocUnsafe(chunkBytes)
  let bytes = 0
  let sum = 0
  for (
    let read = readSync(file, chunk, 0, chunkBytes, 0);
    read > 0;
    read = readSync(file, chunk, 0, chunkBytes, bytes)
  ) {
    sum = crc32(chunk.subarray(0, read), sum)
    bytes += read
  }
  return { bytes, crc32: sum }
}

type Checkpoint = { readonly busy: number; readonly log: number }

/** Closes a database for which this process holds the lock, with its log emptied into it. */
export const closeSealed = (database: Database): void => {
  const place = database.name
  // The lock of the whole process ends when any descriptor of the file is closed: this one is closed last.
  const file = openSync(place, 'r')
  try {
    const [checkpoint] = database.pragma('wal_checkpoint(TRUNCATE)') as Checkpoint[]
    const isWhole = checkpoint?.busy === 0 && checkpoint.log === 0
    if (isWhole && fstatSync(file).size <= checkedBytesMax) {
      writeFileSync(sealOf(place), JSON.stringify(measure(file)))
    }
  } catch {
    // On a full disk there is no seal, as after a crash.
    rmSync(sealOf(place), { force: true })
  } finally {
    database.close()
    closeSync(file)
  }
}

const readSeal = (database: string): Seal | undefined => {
  try {
    return JSON.parse(readFileSync(sealOf(database), 'utf8'))
  } catch {
    // None, or one that a crash cut off: it says nothing.
    return undefined
  }
}

const measureFile = (database: string): Seal => {
  const file = openSync(database, 'r')
  try {
    return measure(file)
  } finally {
    closeSync(file)
  }
}

/**
 * Compares a database that nobody uses with what it was when it was stopped.
 * @throws when it is not that any more
 */
export const checkSeal = (database: string): 'whole' | 'not sealed' => {
  const sealed = readSeal(database)
  if (!sealed) return 'not sealed'
  const found = measureFile(database)
  if (found.bytes === sealed.bytes && found.crc32 === sealed.crc32) return 'whole'
  const size = found.bytes === sealed.bytes ? '' : ` (${found.bytes} bytes instead of ${sealed.bytes})`
  throw new Damaged(
    database,
    `it is not what it was when it was stopped${size}; whoever changed it on purpose deletes ${sealOf(database)}`,
  )
}

/** Before anything is written. */
export const breakSeal = (database: string): void => {
  if (!existsSync(sealOf(database))) return
  rmSync(sealOf(database))
  // It must not come back after a power cut, beside what was written since.
  const folder = openSync(dirname(database), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
