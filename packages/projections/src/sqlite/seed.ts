// Seeds: copies of a peer's read model from which a new node starts, instead of from the first event.
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
} from 'node:fs'
import path from 'node:path'
import type { EventStore } from '@headwater/eventstore/client/client'
import { formatPosition, type Position } from '@headwater/eventstore/position'
import Database from 'better-sqlite3'
import type { Logger } from 'pino'
import { type ReadModel, shapeOf } from '../model/read-model.ts'
import type { Checkpoint, Sink } from '../model/sink.ts'
import { otherHistory } from '../run/same-history.ts'
import { busyTimeoutMs, checkpointQuery, removeDatabase, sqliteFile } from './file.ts'

/** The file holds personal data. */
const ownerOnly = 0o600

const checkpointIn = (db: Database.Database, model: ReadModel): Checkpoint => {
  const stored = checkpointQuery(db)()
  if (stored?.shape !== shapeOf(model))
    throw new Error(`It does not have the tables of version ${model.version} of ${model.name}.`)
  return stored.checkpoint
}

const sync = (file: string): void => {
  const descriptor = openSync(file, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Makes a seed of a read model in use: one complete file that replaces an earlier one, or none. Blocks the process
 * until it is done.
 * @param directory where the read model is
 * @param toFile a new node looks for `<name>.v<version>.sqlite` in its `EDGE_SEED_DIRECTORY`
 * @throws when the read model is missing or has another shape, and errors of SQLite or the disk
 */
export const makeSeed = (directory: string, model: ReadModel, toFile: string): Position => {
  const file = sqliteFile(directory, model)
  if (!existsSync(file)) throw new Error(`There is no ${file} to make a seed of.`)
  mkdirSync(path.dirname(toFile), { recursive: true })
  const partial = `${toFile}.${randomUUID()}`
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
    try {
      checkpointIn(db, model)
      db.prepare('vacuum into ?').run(partial)
    } finally {
      db.close()
    }
    chmodSync(partial, ownerOnly)
    const { position } = inspect(partial, model)
    sync(partial)
    renameSync(partial, toFile)
    return position
  } finally {
    removeDatabase(partial)
  }
}

/** @throws when it cannot be used */
const inspect = (file: string, model: ReadModel): Checkpoint => {
  const db = new Database(file, { fileMustExist: true, timeout: busyTimeoutMs })
  try {
    const found = db.pragma('quick_check(1)', { simple: true })
    if (found !== 'ok') throw new Error(`It is damaged: ${found}`)
    return checkpointIn(db, model)
  } finally {
    db.close()
  }
}

export type SeedOptions = {
  /** Empty for none. */
  readonly seedDirectory: string
  readonly directory: string
  readonly projection: ReadModel
  readonly store: Pick<EventStore, 'storeId' | 'head' | 'eventAt'>
  readonly logger: Logger
}

/** Installs a valid seed where there is no read model yet. */
const takeSeed = async ({ seedDirectory, directory, projection, store, logger }: SeedOptions): Promise<void> => {
  const seed = sqliteFile(seedDirectory, projection)
  const file = sqliteFile(directory, projection)
  if (seedDirectory === '' || existsSync(file) || !existsSync(seed)) return
  mkdirSync(directory, { recursive: true })
  // A copy: it cannot change after the inspection, and the seed's folder may be read-only.
  const copy = path.join(directory, `${path.basename(file, '.sqlite')}.seed-${randomUUID()}.sqlite`)
  const refuse = (why: string) =>
    logger.warn({ projection: projection.name, seed, why }, 'the seed is refused; all events are read instead')
  try {
    let checkpoint: Checkpoint
    try {
      copyFileSync(seed, copy, constants.COPYFILE_FICLONE)
      chmodSync(copy, ownerOnly)
      checkpoint = inspect(copy, projection)
    } catch (error) {
      return refuse(String(error))
    }
    const why = await otherHistory(store, checkpoint)
    if (why) return refuse(why)
    linkSync(copy, file) // unlike a rename it never replaces a file that another process has just created
    const position = formatPosition(checkpoint.position)
    logger.info({ projection: projection.name, seed, position }, 'the read model goes on from a seed')
  } finally {
    removeDatabase(copy)
  }
}

/** A sink that installs a seed before its first claim. */
export const withSeed = (sink: Sink, options: SeedOptions): Sink => ({
  ...sink,
  claim: async (storeId) => {
    await takeSeed(options)
    return sink.claim(storeId)
  },
})
