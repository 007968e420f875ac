// Keeps a read model in a SQLite file on the node's own disk; a projection writes it through this.
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

type SqliteSink = {
  readonly file: string
  /** Of a new file. */
  readonly build: string
  readonly projection: ReadModel
  /** Where readers are told of commits; nobody reads a copy in the making. */
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
  /** Another that was built again may have taken the place of the one that is open. */
  const opened = (): Database.Database => {
    if (db && inode !== inodeNow()) closeFile()
    // Whose place is taken while it is opened must not pass for the one that took it.
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

/** Only the file takes the place, and its log stays behind while somebody else has it open. */
const foldLog = (file: string): void => {
  const db = new Database(file, { fileMustExist: true, timeout: busyTimeoutMs })
  try {
    const [outcome] = db.pragma('wal_checkpoint(truncate)') as [{ readonly busy: 0 | 1 }]
    if (outcome.busy) throw new Error(`Somebody reads ${file}: its log cannot be folded in yet.`)
  } finally {
    db.close()
  }
}

/** Every reader, when it next looks, opens the file that the name then leads to. */
const takePlace = (built: string, file: string): void => {
  foldLog(built)
  const directory = path.dirname(file)
  const stem = path.basename(file, '.sqlite')
  const ownName = `${stem}.${randomUUID()}.sqlite`
  renameSync(built, path.join(directory, ownName))
  const link = path.join(directory, `${stem}.link`)
  rmSync(link, { force: true })
  symlinkSync(ownName, link)
  renameSync(link, file)
  // A new database of these names must not find the log of an old one.
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
