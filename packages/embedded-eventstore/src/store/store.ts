// Stores the events: writes all pending appends in one transaction, and answers only after it is on disk.
import { serveBackups } from '../backup.ts'
import { closeDatabase, openDatabase } from './database.ts'
import { openNames } from './names.ts'
import { openPages } from './pages.ts'
import { createWatchers } from './watchers.ts'
import { type Outcome, openWriter, type Write } from './writer.ts'

const groupWritesMax = 1000
const groupBytesMax = 16 * 1024 * 1024
const pendingWritesMax = 20_000
const pendingBytesMax = 128 * 1024 * 1024

type Pending = { writes: readonly Write[]; bytes: number; answer: (outcomes: Outcome[]) => void }

export type Store = ReturnType<typeof openStore>

export const openStore = (directory: string | undefined, toDisk = true) => {
  const database = openDatabase(directory, toDisk)
  const backups = directory === undefined ? undefined : serveBackups(database, directory)
  const names = openNames(database)
  const writer = openWriter(database, names)
  const watchers = createWatchers()
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const rollback = database.prepare('ROLLBACK')

  let pending: Pending[] = []
  let pendingWrites = 0
  let pendingBytes = 0
  let scheduled = false
  let head = writer.lastPosition()
  let stopped = false

  const takeGroup = (): Pending[] => {
    let bytes = 0
    let writes = 0
    let count = 0
    for (const next of pending) {
      if (writes >= groupWritesMax || bytes >= groupBytesMax) break
      bytes += next.bytes
      writes += next.writes.length
      count++
    }
    const group = pending.slice(0, count)
    pending = pending.slice(count)
    pendingWrites -= writes
    pendingBytes -= bytes
    return group
  }

  // A refused write is rolled back alone, so that the others of its group are unaffected.
  const writeGroup = (group: Pending[]): Outcome[][] => {
    const now = Date.now()
    begin.run()
    const outcomes = group.map(({ writes }) =>
      writes.map((write): Outcome => (write.deadlineAtMs <= now ? { kind: 'timed out' } : writer.write(write))),
    )
    commit.run()
    head = writer.lastPosition()
    return outcomes
  }

  const failGroup = (group: Pending[], error: unknown): Outcome[][] => {
    if (database.inTransaction) rollback.run()
    names.forget()
    writer.rolledBackTo(head)
    const reason = error instanceof Error ? error.message : String(error)
    return group.map(({ writes }) => writes.map(() => ({ kind: 'failed', reason })))
  }

  const flush = (): void => {
    scheduled = false
    const group = takeGroup()
    if (group.length === 0) return
    const before = head
    let outcomes: Outcome[][]
    try {
      outcomes = writeGroup(group)
    } catch (error) {
      outcomes = failGroup(group, error)
    }
    if (pending.length > 0) schedule()
    for (const [index, { answer }] of group.entries()) answer(outcomes[index] as Outcome[])
    if (head > before) watchers.committed(writer.takeTouched())
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  const writeTogether = (writes: readonly Write[], answer: (outcomes: Outcome[]) => void): void => {
    if (stopped || pendingWrites >= pendingWritesMax || pendingBytes >= pendingBytesMax) {
      answer(writes.map(() => ({ kind: stopped ? 'not ready' : 'busy' })))
      return
    }
    const bytes = writes.reduce((sum, write) => sum + write.bytes, 0)
    pending.push({ writes, bytes, answer })
    pendingWrites += writes.length
    pendingBytes += bytes
    schedule()
  }

  return {
    names,
    pages: openPages(database),
    watchAll: watchers.watchAll,
    watchStream: watchers.watchStream,
    // The position of the last event; 0 when there is none.
    head: (): number => head,
    write: (write: Write, answer: (outcome: Outcome) => void): void =>
      writeTogether([write], ([outcome]) => answer(outcome as Outcome)),
    /** Writes in order and in one transaction: after a crash all are there or none. One may be refused alone. */
    writeTogether,
    // Writes and answers pending appends; refuses later ones.
    finish: (): void => {
      while (pending.length > 0) flush()
      stopped = true
    },
    close: (): void => {
      backups?.close()
      closeDatabase(database)
    },
  }
}
