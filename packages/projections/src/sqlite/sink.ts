// Writes a read model into a SQLite file on the node's own disk.
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import type { Position } from '@headwater/eventstore/position'
import Database from 'better-sqlite3'
import type { Logger } from 'pino'
import { parkedFromRow } from '../model/parked.ts'
import type { ReadModel } from '../model/read-model.ts'
import type { Checkpoint, Sink, Step } from '../model/sink.ts'
import { busyTimeoutMs, checkpointQuery, removeDatabase, scratchFile, socketFile, sqliteFile } from './file.ts'
import { startWaker, type Waker } from './wake.ts'
import { openSqliteWishes } from './wishes.ts'
import { claimFile, openWriter } from './writer.ts'

const pageCacheKib = 64 * 1024
/** In pages of 4 KiB. Above SQLite's 1,000, so that rows written often are copied into the file less often. */
const walPagesBeforeCheckpoint = 16_000

/** Errors of the machine or of other users of the file: temporary. */
const passingTrouble = /^SQLITE_(BUSY|LOCKED|IOERR|FULL|CANTOPEN|NOMEM|READONLY|PERM|AUTH|PROTOCOL|INTERRUPT|NOLFS)/
const valuesRefused = /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG|RANGE)/

const blameSqlite: Sink['blame'] = (error) => {
  if (error instanceof Database.SqliteError) {
    if (valuesRefused.test(error.code)) return 'refused'
    // A damaged file, or one with unexpected tables, fails at the next attempt too.
    return passingTrouble.test(error.code) ? 'unavailable' : 'broken'
  }
  return error instanceof TypeError || error instanceof RangeError ? 'refused' : undefined // values no column can hold
}

type SqliteSink = {
  readonly file: string
  /** Of a new file. */
  readonly build: string
  readonly projection: ReadModel
  /** Socket that wakes readers after commits; a copy being built has no readers. */
  readonly socket?: string
  readonly logger: Logger
}

const openSink = ({ file, build, projection, socket, logger }: SqliteSink) => {
  let db: Database.Database | undefined
  let inode: number | undefined
  let write: ((step: Step) => 'committed' | 'superseded') | undefined
  let waker: Waker | undefined
  let needed = async (): Promise<Position> => {
    throw new Error('Nothing is projected yet.')
  }

  const open = (): Database.Database => {
    mkdirSync(path.dirname(file), { recursive: true })
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
  const inodeNow = () => statSync(file, { throwIfNoEntry: false })?.ino
  const closeFile = () => {
    write = undefined
    db?.close()
    db = undefined
  }
  /** Reopens the file after a swap. */
  const opened = (): Database.Database => {
    if (db && inode !== inodeNow()) closeFile()
    // Read before opening: a swap in between is noticed at the next call.
    const before = inodeNow()
    db ??= open()
    inode = before ?? inodeNow()
    return db
  }
  const release = async () => closeFile()

  return {
    claim: async (storeId: string): Promise<Checkpoint> => {
      const db = opened()
      const checkpoint = db.transaction(claimFile).immediate(db, projection, storeId, build)
      write = openWriter(db, projection)
      if (socket) waker ??= startWaker(socket, () => needed(), logger)
      return checkpoint
    },
    checkpoint: async (): Promise<Checkpoint> => {
      const stored = checkpointQuery(opened())()
      if (!stored) throw new Error(`${file} has lost its checkpoint.`)
      return stored.checkpoint
    },
    parked: async () => opened().prepare<[], string>('select details from parked').pluck().all().map(parkedFromRow),
    commit: async (step: Step): Promise<'committed' | 'superseded'> => {
      if (!write) throw new Error(`${file} has not been claimed.`)
      if (inode !== inodeNow()) return 'superseded'
      const outcome = write(step)
      if (outcome === 'committed') waker?.wake()
      return outcome
    },
    tellNeeded: (known: () => Promise<Position>) => {
      needed = known
    },
    blame: blameSqlite,
    claimsExpire: false,
    release,
    close: async () => {
      waker?.close()
      await release()
    },
    wake: () => waker?.wake(),
  } satisfies Omit<Sink, 'rebuildAdvice'> & Pick<Waker, 'wake'>
}

/** Only the file itself is swapped in: its write-ahead log must be empty, which another open connection prevents. */
const checkpointWal = (file: string): void => {
  const db = new Database(file, { fileMustExist: true, timeout: busyTimeoutMs })
  try {
    const [outcome] = db.pragma('wal_checkpoint(truncate)') as [{ readonly busy: 0 | 1 }]
    if (outcome.busy) throw new Error(`${file} is in use: its write-ahead log cannot be emptied yet.`)
  } finally {
    db.close()
  }
}

/** Readers open the new file at their next check. */
const takePlace = (built: string, file: string): void => {
  checkpointWal(built)
  const directory = path.dirname(file)
  const stem = path.basename(file, '.sqlite')
  const ownName = `${stem}.${randomUUID()}.sqlite`
  renameSync(built, path.join(directory, ownName))
  const link = path.join(directory, `${stem}.link`)
  rmSync(link, { force: true })
  symlinkSync(ownName, link)
  renameSync(link, file)
  // A new database with these names must not find the log of an old one.
  for (const name of [file, built]) for (const ending of ['-wal', '-shm']) rmSync(name + ending, { force: true })
  const others = readdirSync(directory).filter(
    (name) => name.startsWith(`${stem}.`) && name.endsWith('.sqlite') && name !== `${stem}.sqlite` && name !== ownName,
  )
  for (const name of others) removeDatabase(path.join(directory, name))
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
  const { name, version } = projection
  const file = sqliteFile(directory, projection)
  const built = scratchFile(directory, projection)
  const wishes = openSqliteWishes(directory, `${name}.v${version}`)
  const serving = openSink({ file, build: '', projection, socket: socketFile(directory, projection), logger })
  const rebuildAdvice = `The read model ${name} has to be rebuilt: npm run headwater -- projections rebuild ${name}.`
  return {
    ...serving,
    wishes,
    scratch: {
      open: () => ({ ...openSink({ file: built, build: `+${randomUUID()}`, projection, logger }), rebuildAdvice }),
      swap: async () => {
        takePlace(built, file)
        serving.wake()
      },
      drop: async () => removeDatabase(built),
    },
    rebuildAdvice,
    close: async () => {
      await serving.close()
      wishes.close()
    },
  }
}
