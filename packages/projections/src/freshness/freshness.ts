// Reads a read model on this node when it is current: nothing of its categories was in the store, when asked, that is not in the rows.
import { comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import { within } from '@headwater/eventstore/within'
import type { SqliteQueries, SqliteReader } from '../sqlite/reader.ts'

/** Both together are below the 800 ms that a probe of readiness may take. */
const [answerMsMax, catchUpMsMax] = [400, 300]

/** What was read, and up to where the rows were when it was. */
export type Current<T> = { readonly value: T; readonly checkpoint: Position }

export type Currency = {
  /**
   * Runs `work` on rows that hold every event that was in the store at some moment after the call; undefined when that
   * cannot be shown in time.
   */
  readonly read: <T>(work: (db: SqliteQueries) => T, withinMs: number) => Promise<Current<T> | undefined>
  /** When the read model was last known to be current. */
  readonly knownAt: () => Date | undefined
  /**
   * Why the rows are not known to be current, as a sentence; undefined when they are, or when they are being written.
   * A quiet system is current: the writer knows that nothing is missing.
   */
  readonly trouble: () => Promise<string | undefined>
}

/** Somebody who waits for current rows. */
type Asking = {
  readonly giveUpAtMs: number
  readonly answer: (db: SqliteQueries, checkpoint: Position) => void
  readonly giveUp: () => void
}

/** The writer of the rows is asked, so that one that stands still is noticed before the next event, not by it. */
export const watchCurrency = (reader: Pick<SqliteReader, 'read' | 'waitFor' | 'needed' | 'checkpoint'>): Currency => {
  let gathering: Asking[] = []
  let known: Date | undefined

  /** All of them in one transaction, whose own checkpoint tells whether its rows are new enough. */
  const answered = (asking: readonly Asking[], needed: Position): boolean =>
    reader.read((db, checkpoint) => {
      if (comparePosition(checkpoint, needed) < 0) return false
      for (const { answer } of asking) answer(db, checkpoint)
      return true
    }).value

  const noteCurrent = (at: Date): void => {
    if (!known || at > known) known = at
  }

  const serve = async (asking: readonly Asking[]): Promise<void> => {
    const at = new Date()
    const needed = await reader.needed()
    if (!answered(asking, needed)) {
      await reader.waitFor(needed, Math.max(...asking.map(({ giveUpAtMs }) => giveUpAtMs)) - performance.now())
      if (!answered(asking, needed)) throw new Error('The read model is behind.')
    }
    noteCurrent(at)
  }

  /** Whoever asks in the same turn of the event loop shares a question; the writer shares its looks among questions. */
  const serveGathered = () => {
    const asking = gathering
    gathering = []
    serve(asking).catch(() => {
      for (const { giveUp } of asking) giveUp()
    })
  }

  return {
    read: (work, withinMs) =>
      new Promise((resolve, reject) => {
        const giveUp = () => {
          clearTimeout(timer)
          resolve(undefined)
        }
        const answer: Asking['answer'] = (db, checkpoint) => {
          clearTimeout(timer)
          try {
            resolve({ value: work(db), checkpoint })
          } catch (error) {
            reject(error)
          }
        }
        const timer = setTimeout(giveUp, withinMs)
        if (gathering.length === 0) setImmediate(serveGathered)
        gathering.push({ giveUpAtMs: performance.now() + withinMs, answer, giveUp })
      }),
    knownAt: () => known,
    trouble: async () => {
      const at = new Date()
      const before = reader.checkpoint()
      const needed = await within(answerMsMax, reader.needed(), () => new Error('no answer')).catch(() => undefined)
      if (needed && (await reader.waitFor(needed, catchUpMsMax))) {
        noteCurrent(at)
        return undefined
      }
      if (comparePosition(reader.checkpoint(), before) > 0) return undefined
      const since = known ? ` since ${known.toISOString()}` : ''
      return needed
        ? `It stands still at ${formatPosition(before)}${since}: newer events are not in it.`
        : `It is not known to be current${since}: its projector does not run, or cannot reach the event store.`
    },
  }
}
