// Keeps the events: writes everything that has arrived in one transaction, and answers only after it is on disk.
import { serveBackups } from './backup.ts'
import { openDatabase } from './database.ts'
import { openNames } from './names.ts'
import { openPages } from './pages.ts'
import { createWatchers } from './watchers.ts'
import { type Append, type Outcome, openWriter } from './writer.ts'

const groupAppendsMax = 1000
const groupBytesMax = 16 * 1024 * 1024
const pendingAppendsMax = 20_000
const pendingBytesMax = 128 * 1024 * 1024

type Pending = { append: Append; answer: (outcome: Outcome) => void }

export type Store = ReturnType<typeof openStore>

export const openStore = (directory: string | undefined) => {
  const database = openDatabase(directory)
  const backups = directory === undefined ? undefined : serveBackups(database, directory)
  const names = openNames(database)
  const writer = openWriter(database, names)
  const watchers = createWatchers()
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const rollback = database.prepare('ROLLBACK')

  let pending: Pending[] = []
  let pendingBytes = 0
  let scheduled = false
  let head = writer.lastPosition()
  let stopped = false

  const takeGroup = (): Pending[] => {
    let bytes = 0
    let count = 0
    while (count < pending.length && count < groupAppendsMax && bytes < groupBytesMax) {
      bytes += pending[count]?.append.bytes ?? 0
      count++
    }
    const group = pending.slice(0, count)
    pending = pending.slice(count)
    pendingBytes -= bytes
    return group
  }

  // One append's refusal leaves no trace, so the others of its group are unaffected.
  const writeGroup = (group: Pending[]): Outcome[] => {
    const now = Date.now()
    let last = head
    begin.run()
    const outcomes = group.map(({ append }): Outcome => {
      if (append.deadlineAtMs <= now) return { kind: 'timed out' }
      const outcome = writer.write(append, last)
      if (outcome.kind === 'success') last = Math.max(last, outcome.position ?? 0)
      return outcome
    })
    commit.run()
    head = last
    return outcomes
  }

  const failGroup = (group: Pending[], error: unknown): Outcome[] => {
    if (database.inTransaction) rollback.run()
    names.forget()
    const reason = error instanceof Error ? error.message : String(error)
    return group.map(() => ({ kind: 'failed', reason }))
  }

  const flush = (): void => {
    scheduled = false
    const group = takeGroup()
    if (group.length === 0) return
    const before = head
    let outcomes: Outcome[]
    try {
      outcomes = writeGroup(group)
    } catch (error) {
      outcomes = failGroup(group, error)
    }
    if (pending.length > 0) schedule()
    for (const [index, { answer }] of group.entries()) answer(outcomes[index] as Outcome)
    if (head > before) watchers.committed(new Set(group.map(({ append }) => append.streamName)))
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  return {
    names,
    pages: openPages(database),
    watchAll: watchers.watchAll,
    watchStream: watchers.watchStream,
    // The position of the last event; 0 when there is none.
    head: (): number => head,
    append: (append: Append, answer: (outcome: Outcome) => void): void => {
      if (stopped || pending.length >= pendingAppendsMax || pendingBytes >= pendingBytesMax) {
        answer({ kind: 'busy' })
        return
      }
      pending.push({ append, answer })
      pendingBytes += append.bytes
      schedule()
    },
    // Writes and answers what is still pending; what comes later is refused.
    finish: (): void => {
      while (pending.length > 0) flush()
      stopped = true
    },
    close: (): void => {
      backups?.close()
      database.close()
    },
  }
}
