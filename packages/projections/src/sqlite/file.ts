// The files of a read model on a node's disk, and the tables for its checkpoint that writer and readers share.
import { rmSync } from 'node:fs'
import path from 'node:path'
import type Database from 'better-sqlite3'
import { deadLettersFromText } from '../model/parked.ts'
import type { ReadModel } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'

/** Limit on how long a call blocks its process for another connection's lock; then it fails with SQLITE_BUSY. */
export const busyTimeoutMs = 250

const inDirectory = (directory: string, { name, version }: ReadModel, ending: string) =>
  path.join(directory, `${name}.v${version}.${ending}`)

/** The current version: a file or, after a rebuild, a link to one. */
export const sqliteFile = (directory: string, model: ReadModel): string => inDirectory(directory, model, 'sqlite')

/** The file of a rebuild, until it replaces the current one. */
export const scratchFile = (directory: string, model: ReadModel): string =>
  inDirectory(directory, model, 'rebuild.sqlite')

/** Removes a database with its log files; readers keep the files they have open. */
export const removeDatabase = (file: string): void => {
  for (const ending of ['', '-wal', '-shm']) rmSync(file + ending, { force: true })
}

/** The unix domain socket beside the file through which its writer wakes readers. */
export const socketFile = (directory: string, model: ReadModel): string => inDirectory(directory, model, 'sock')

export const checkpointSchema = `
  create table if not exists checkpoint (
    one integer primary key check (one = 1),
    commitPosition integer not null,
    preparePosition integer not null,
    eventId text,
    eventCommit integer,
    eventPrepare integer,
    storeId text not null,
    epoch integer not null,
    shape text not null,
    build text not null default '',
    deadLetters text not null default '[]',
    replacedTexts integer not null default 0
  ) strict`

/** One row per batch with changes; the numbers of its changes continue those of the batch before. */
export const feedSchema = `
  create table if not exists feed (
    lastChange integer primary key,
    firstChange integer not null,
    sinceCommit integer not null,
    sincePrepare integer not null,
    commitPosition integer not null,
    preparePosition integer not null,
    changes text not null,
    unique (commitPosition, preparePosition)
  ) strict`

/** Events that could not be projected; see parked.ts. */
export const parkedSchema = `
  create table if not exists parked (
    eventId text primary key,
    stream text not null,
    isSkipped integer not null,
    details text not null
  ) strict`

type CheckpointRow = {
  readonly commitPosition: bigint
  readonly preparePosition: bigint
  readonly eventId: string | null
  readonly eventCommit: bigint
  readonly eventPrepare: bigint
  readonly storeId: string
  readonly epoch: bigint
  readonly shape: string
  readonly build: string
  /** Missing, like the next one, until a writer of this version has run. */
  readonly deadLetters?: string
  readonly replacedTexts?: bigint
}

/** Prepares a query for the checkpoint and the shape that the tables were created with. */
export const checkpointQuery = (
  db: Database.Database,
): (() => { checkpoint: Checkpoint; shape: string } | undefined) => {
  const query = db.prepare<[], CheckpointRow>('select * from checkpoint').safeIntegers()
  return () => {
    const row = query.get()
    if (!row) return undefined
    const { eventId, storeId, epoch, shape, build } = row
    return {
      checkpoint: {
        position: { commit: row.commitPosition, prepare: row.preparePosition },
        lastEvent:
          eventId === null
            ? undefined
            : { id: eventId, position: { commit: row.eventCommit, prepare: row.eventPrepare } },
        storeId,
        build,
        epoch,
        deadLetters: deadLettersFromText(row.deadLetters),
        replacedTexts: Number(row.replacedTexts ?? 0n),
      },
      shape,
    }
  }
}
