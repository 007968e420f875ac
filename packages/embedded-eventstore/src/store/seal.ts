// A checksum of the whole file, stored when the node stops, to detect bytes that change until the next start.
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

/** Larger files are checked neither by this nor by SQLite, so that the node starts in reasonable time. */
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

/** Empties the log into the database and closes it, under the lock of this process. */
export const closeSealed = (database: Database): void => {
  const place = database.name
  // Closing any descriptor of the file ends the lock of the process: this one is closed last.
  const file = openSync(place, 'r')
  try {
    const [checkpoint] = database.pragma('wal_checkpoint(TRUNCATE)') as Checkpoint[]
    const isWhole = checkpoint?.busy === 0 && checkpoint.log === 0
    if (isWhole && fstatSync(file).size <= checkedBytesMax) {
      writeFileSync(sealOf(place), JSON.stringify(measure(file)))
    }
  } catch {
    // No seal on a full disk, as after a crash.
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
    // Missing, or truncated by a crash: no information.
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
 * Compares a closed database with its seal.
 * @throws when it has changed
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

/** Must precede the first write. */
export const breakSeal = (database: string): void => {
  if (!existsSync(sealOf(database))) return
  rmSync(sealOf(database))
  // Flushed, so that it cannot reappear after a power cut beside newer writes.
  const folder = openSync(dirname(database), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
