// Reads a read model's SQLite file from any process, and is notified of every commit of its writer.
import { statSync } from 'node:fs'
import { Rejection } from '@headwater/deciders/decider'
import { beginning, comparePosition, type Position } from '@headwater/eventstore/position'
import Database from 'better-sqlite3'
import type { CompiledQuery } from 'kysely'
import type { Logger } from 'pino'
import {
  type Changes,
  changesOf,
  type FeedEntry,
  type FeedPage,
  formatToken,
  resumeFrom,
  type Snapshot,
} from '../model/changes.ts'
import { isBehind, type ParkedRow, setAsideOf } from '../model/parked.ts'
import { type ReadModel, shapeOf } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'
import { busyTimeoutMs, checkpointQuery, socketFile, sqliteFile } from './file.ts'
import { listenToWaker } from './wake.ts'

/** Interval to poll for commits when no writer wakes the reader. */
const dataVersionPollMs = 250

/** Runs queries inside one read transaction. */
export type SqliteQueries = {
  /** True when the rows lack the newest events of the stream because one could not be projected. */
  readonly isParked: (stream: string) => boolean
  readonly rows: <R>(query: CompiledQuery<R>) => R[]
}

export type SqliteReader = {
  /** True when the file exists and has this version's shape. */
  readonly ready: () => boolean
  /** @throws Rejection `read_model_not_ready` */
  readonly checkpoint: () => Position
  /**
   * Runs `work` in one read transaction; it must be synchronous.
   * @throws Rejection `read_model_not_ready`
   */
  readonly read: <T>(work: (db: SqliteQueries, checkpoint: Position) => T) => Snapshot<T>
  /** Runs one query in a read transaction. */
  readonly rows: <R>(query: CompiledQuery<R>) => Snapshot<R[]>
  /** True once the checkpoint has reached `position`, false when it has not within `timeoutMs`. */
  readonly waitFor: (position: Position, timeoutMs: number) => Promise<boolean>
  /** About `limit` changes after a token (a batch is never cut), or 'snapshot needed' when the feed does not have them. */
  readonly changesSince: (token: string, limit: number) => Changes | 'snapshot needed'
  /** The position that rows must reach to be fresh, from their writer. Rejects when none is connected, or it has stalled. */
  readonly needed: () => Promise<Position>
  /** Calls `listener` soon after every commit, once for several. Returns a function that stops that. */
  readonly onCommit: (listener: () => void) => () => void
  readonly close: () => void
}

type FeedRow = {
  readonly firstChange: bigint
  readonly lastChange: bigint
  readonly sinceCommit: bigint
  readonly sincePrepare: bigint
  readonly commitPosition: bigint
  readonly preparePosition: bigint
  readonly changes: string
}

/** The part of the checkpoint that every read needs. */
type Place = Pick<Checkpoint, 'position' | 'build'> & {
  readonly origin: string
  readonly parkedStreams: readonly string[]
}
type AsideRow = Pick<ParkedRow, 'eventId' | 'stream'> & { readonly isSkipped: 0 | 1 }

const entryOf = (row: FeedRow): FeedEntry => ({
  since: { commit: row.sinceCommit, prepare: row.sincePrepare },
  position: { commit: row.commitPosition, prepare: row.preparePosition },
  changes: JSON.parse(row.changes),
})

/** The change feed of an open file. */
const openFeed = (db: Database.Database) => {
  const first = db.prepare<[], FeedRow>('select * from feed order by lastChange limit 1').safeIntegers()
  const last = db.prepare<[], bigint>('select max(lastChange) from feed').pluck().safeIntegers()
  const page = db
    .prepare<[bigint, bigint, number], FeedRow>(
      `with later as (select * from feed where (commitPosition, preparePosition) > (?, ?))
       select * from later where lastChange < (select min(lastChange) from later) + ? order by lastChange`,
    )
    .safeIntegers()
  return {
    floor: (): Position => {
      const row = first.get()
      return row && row.firstChange > 1n ? entryOf(row).since : beginning // 1: the feed was never trimmed
    },
    page: ({ commit, prepare }: Position, limit: number): FeedPage => {
      const rows = page.all(commit, prepare, limit)
      return { entries: rows.map(entryOf), complete: (rows.at(-1)?.lastChange ?? last.get()) === last.get() }
    },
  }
}

/**
 * An open file with its prepared statements.
 * @param inode of the file before it was opened: a swap during opening is noticed at the next check
 */
const openFile = (file: string, inode: number, projection: ReadModel) => {
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs })
  try {
    const stored = checkpointQuery(db)
    if (stored()?.shape !== shapeOf(projection)) throw new Error(`${file} does not have the shape of this version.`)
    const prepared = new Map<string, Database.Statement>()
    const statement = (sql: string) => {
      const known = prepared.get(sql) ?? db.prepare(sql)
      prepared.set(sql, known)
      return known
    }
    const dataVersion = db.prepare<[], number>('pragma data_version').pluck()
    const aside = db.prepare<[], AsideRow>('select eventId, stream, isSkipped from parked')
    const transaction = db.transaction((work: () => unknown) => work())
    return {
      inode,
      checkpoint: (): Place => {
        const checkpoint = stored()?.checkpoint
        if (!checkpoint) throw new Error(`${file} has lost its checkpoint.`)
        const { position, storeId, build, deadLetters } = checkpoint
        const rows = aside.all().map((row) => ({ ...row, isSkipped: row.isSkipped === 1 }))
        const { mark, parkedStreams } = setAsideOf(rows, deadLetters)
        return { position, origin: storeId + mark, build, parkedStreams }
      },
      dataVersion: () => dataVersion.get(),
      transaction: <T>(work: () => T): T => transaction(work) as T,
      rows: <R>({ sql, parameters }: CompiledQuery<R>) => statement(sql).all(...parameters) as R[],
      feed: openFeed(db),
      close: () => db.close(),
    }
  } catch (error) {
    db.close()
    throw error
  }
}

export const openSqliteReader = ({
  directory,
  projection,
  logger,
}: {
  readonly directory: string
  readonly projection: ReadModel
  readonly logger: Logger
}): SqliteReader => {
  const file = sqliteFile(directory, projection)
  const listeners = new Set<() => void>()
  let open: ReturnType<typeof openFile> | undefined
  let waker: ReturnType<typeof listenToWaker> | undefined
  let seenVersion: number | undefined
  let closed = false

  /** Opens the file once it exists, and again when another has replaced it. */
  const attach = (): void => {
    try {
      const inode = statSync(file, { throwIfNoEntry: false })?.ino
      if (open && open.inode === inode) return
      detach()
      if (inode !== undefined) open = openFile(file, inode, projection)
    } catch (error) {
      logger.debug({ err: error, file }, 'the read model cannot be read yet')
    }
  }
  const detach = (): void => {
    open?.close()
    open = undefined
    seenVersion = undefined
  }

  const versionNow = (): number | undefined => {
    try {
      return open?.dataVersion()
    } catch (error) {
      logger.warn({ err: error, file }, 'the read model cannot be read; opening it again')
      detach()
    }
  }

  const look = (): void => {
    if (closed) return
    attach()
    const version = versionNow()
    if (version === seenVersion) return
    seenVersion = version
    for (const listener of [...listeners]) listener()
  }

  const poll = (): void => {
    waker ??= listenToWaker(socketFile(directory, projection), look, () => {
      waker = undefined
    })
    look()
  }
  const polling = setInterval(poll, dataVersionPollMs)
  poll()

  const ready = () => {
    if (!open) attach()
    if (open) return open
    throw new Rejection('read_model_not_ready', 'The read model is not there yet.', { readModel: projection.name })
  }

  const read: SqliteReader['read'] = (work) => {
    const db = ready()
    return db.transaction(() => {
      const { origin, build, position, parkedStreams } = db.checkpoint()
      const value = work({ rows: db.rows, isParked: (stream) => isBehind({ parkedStreams }, stream) }, position)
      return { value, checkpoint: position, token: formatToken(projection, origin, position), build, parkedStreams }
    })
  }

  return {
    ready: () => {
      if (!open) attach()
      return open !== undefined
    },
    checkpoint: () => ready().checkpoint().position,
    read,
    rows: (query) => read((db) => db.rows(query)),
    waitFor: (position, timeoutMs) =>
      new Promise((resolve) => {
        // Called from timers and sockets, where an error would end the process; the next read reports it.
        const reached = () => {
          try {
            return open !== undefined && comparePosition(open.checkpoint().position, position) >= 0
          } catch (error) {
            logger.warn({ err: error, file }, 'the checkpoint cannot be read')
            return false
          }
        }
        const finish = (outcome: boolean) => {
          clearTimeout(timer)
          listeners.delete(listener)
          resolve(outcome)
        }
        const listener = () => {
          if (reached()) finish(true)
        }
        const timer = setTimeout(() => finish(reached()), timeoutMs)
        listeners.add(listener)
        listener()
      }),
    changesSince: (token, limit) => {
      const db = ready()
      return db.transaction(() => {
        const { origin, build, position } = db.checkpoint()
        const bounds = { origin, build, position, floor: db.feed.floor() }
        const from = resumeFrom(projection, bounds, token)
        return from ? changesOf(projection, bounds, from, db.feed.page(from, limit)) : 'snapshot needed'
      })
    },
    needed: async () => {
      if (!waker) throw new Error('No writer is connected.')
      return waker.needed()
    },
    onCommit: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => {
      closed = true
      clearInterval(polling)
      waker?.close()
      detach()
    },
  }
}
