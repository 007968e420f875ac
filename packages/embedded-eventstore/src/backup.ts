// Copies the events into another folder while they are served: consistent, whole or not there.
import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import Sqlite from 'better-sqlite3'
import { closeDatabase, type Database, fileName, openDatabase } from './store/database.ts'

/** Between two of these appends are served. */
const pagesAtOnce = 1_000
const ownerOnly = 0o600
/** It tells how far it is after every step. */
const silenceMsMax = 30_000

// The database is locked for one process: whoever wants a copy asks that process, by a socket beside the file.
const socketIn = (directory: string): string => join(directory, 'backup.sock')

/** A line each; the last is done or has failed. */
type Answer = { readonly pagesLeft: number } | { readonly done: true } | { readonly error: string }

/** What is written meanwhile is in the copy too: it is the store as it is when this resolves. */
const copyTo = async (database: Database, file: string, told: (pagesLeft: number) => void = () => undefined) => {
  await database.backup(file, {
    progress: ({ remainingPages }) => {
      told(remainingPages)
      return pagesAtOnce
    },
  })
}

/** Answers whoever asks for copies, until it is closed. Where no socket can be made there are none while it runs. */
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
  // One that was killed has left its own behind; the lock says that nobody listens there.
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

/** False when nobody serves this folder. */
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
  const database = openDatabase(directory) // nobody starts in between
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

/** @returns the position of the last event in it */
const checked = (file: string): number => {
  const database = new Sqlite(file)
  try {
    const found = database.pragma('integrity_check(1)', { simple: true })
    if (found !== 'ok') throw new Error(`The copy is damaged: ${found}`)
    database.pragma('journal_mode = delete') // one file, with nothing beside it
    return database.prepare<[], number>('SELECT coalesce(max(position), 0) FROM events').pluck().get() ?? 0
  } finally {
    database.close()
  }
}

/**
 * Backs the events of `directory` up into a new file in the folder `to`, which can serve as the folder of an event
 * store as it is; a running one goes on meanwhile.
 * @returns the position of the last event in the backup
 * @throws when there are no events, when `to` holds a backup already, and what the disk refuses
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
    linkSync(partial, file) // unlike a rename it takes no other file's place
    sync(dirname(file))
    return { file, position }
  } finally {
    for (const ending of ['', '-journal', '-wal', '-shm']) rmSync(partial + ending, { force: true })
  }
}
