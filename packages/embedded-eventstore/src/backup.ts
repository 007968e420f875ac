// Copies the events of a running store into another folder: a consistent, complete copy or none.
import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'
import { closeDatabase, type Database, fileName, openDatabase } from './store/database.ts'

/** Appends are served between two steps. */
const pagesAtOnce = 1_000
const ownerOnly = 0o600
/** Limit between two progress reports, which follow every step. */
const silenceMsMax = 30_000

// Only one process can open the database: a backup asks that process for a copy, by a socket beside the file.
const socketIn = (directory: string): string => join(directory, 'backup.sock')

/** One per line; the last is `done` or `error`. */
type Answer = { readonly pagesLeft: number } | { readonly done: true } | { readonly error: string }

/** The copy includes all writes until this resolves. */
const copyTo = async (database: Database, file: string, onProgress: (pagesLeft: number) => void = () => undefined) => {
  await database.backup(file, {
    progress: ({ remainingPages }) => {
      onProgress(remainingPages)
      return pagesAtOnce
    },
  })
}

/** Makes copies on request until it is closed. Without a socket, backups of a running store fail. */
export const serveBackups = (database: Database, directory: string): { close(): void } => {
  const answerTo = async (asking: Socket) => {
    asking.on('error', () => asking.destroy())
    const answer = (answer: Answer) => asking.write(`${JSON.stringify(answer)}\n`)
    for await (const file of createInterface({ input: asking })) {
      await copyTo(database, file, (pagesLeft) => answer({ pagesLeft })).then(
        () => answer({ done: true }),
        (error: unknown) => answer({ error: String(error) }),
      )
      asking.end()
      return
    }
  }
  // A killed process leaves its socket behind; the lock shows that no process listens there.
  rmSync(socketIn(directory), { force: true })
  const asked = new Set<Socket>()
  const server = createServer((asking) => {
    asked.add(asking)
    asking.once('close', () => asked.delete(asking))
    void answerTo(asking).catch(() => asking.destroy())
  })
  server.on('error', (error) => process.stderr.write(`Backups have to wait until it is stopped: ${error.message}\n`))
  server.unref()
  server.listen(socketIn(directory), () => chmodSync(socketIn(directory), ownerOnly))
  return {
    close: () => {
      for (const asking of asked) asking.destroy()
      server.close()
    },
  }
}

/** False when no process serves this folder. */
const askForCopy = async (directory: string, file: string): Promise<boolean> => {
  const socket = connect(socketIn(directory))
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false
    throw error
  }
  socket.setTimeout(silenceMsMax, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.write(`${file}\n`)
  for await (const line of createInterface({ input: socket })) {
    const answer = JSON.parse(line) as Answer
    if ('error' in answer) throw new Error(`The event store could not be copied: ${answer.error}`)
    if ('done' in answer) return true
  }
  throw new Error('The event store has ended, or fell silent, before the copy was whole.')
}

const copyStopped = async (directory: string, file: string): Promise<void> => {
  const database = openDatabase(directory) // locks the folder during the copy
  try {
    await copyTo(database, file)
  } finally {
    closeDatabase(database)
  }
}

const sync = (path: string): void => {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** @returns the position of its last event */
const checked = (file: string): number => {
  const database = new Sqlite(file)
  try {
    const found = database.pragma('integrity_check(1)', { simple: true })
    if (found !== 'ok') throw new Error(`The copy is damaged: ${found}`)
    database.pragma('journal_mode = delete') // a single file without a log
    return database.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck().get() ?? 0
  } finally {
    database.close()
  }
}

/**
 * Backs up the events of `directory` into a new file in the folder `to`, which can then be the folder of an event store;
 * a running store keeps working meanwhile.
 * @returns the position of the last event in the backup
 * @throws when there are no events, when `to` already holds a backup, and errors of the disk
 */
export const backUp = async (directory: string, to: string): Promise<{ file: string; position: number }> => {
  const file = resolve(to, fileName)
  if (!existsSync(join(directory, fileName))) throw new Error(`There is no ${join(directory, fileName)}.`)
  if (existsSync(file)) throw new Error(`${file} is there already: name a folder without one.`)
  mkdirSync(dirname(file), { recursive: true })
  const partial = `${file}.${randomUUID()}`
  try {
    if (!(await askForCopy(directory, partial))) await copyStopped(directory, partial)
    chmodSync(partial, ownerOnly)
    const position = checked(partial)
    sync(partial)
    linkSync(partial, file) // unlike a rename it never replaces a file
    sync(dirname(file))
    return { file, position }
  } finally {
    for (const ending of ['', '-journal', '-wal', '-shm']) rmSync(partial + ending, { force: true })
  }
}
