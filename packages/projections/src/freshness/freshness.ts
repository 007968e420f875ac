// Reads a read model on this node only when it is fresh: its rows hold every event of its categories that was stored when the read began.
import { comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import { within } from '@headwater/eventstore/within'
import type { SqliteQueries, SqliteReader } from '../sqlite/reader.ts'

/** Their sum stays below the 800 ms that a readiness probe may take. */
const [answerMsMax, catchUpMsMax] = [400, 300]

/** A value and the checkpoint of the rows that it was read from. */
export type Current<T> = { readonly value: T; readonly checkpoint: Position }

export type Currency = {
  /**
   * Runs `work` on rows that hold every event that was in the store at some moment after the call; undefined when that
   * cannot be shown in time.
   */
  readonly read: <T>(work: (db: SqliteQueries) => T, withinMs: number) => Promise<Current<T> | undefined>
  /** When the read model was last known to be fresh. */
  readonly knownAt: () => Date | undefined
  /**
   * Why the rows are not known to be fresh, as a sentence; undefined when they are, or when they are being written.
   * A quiet system is fresh: the writer knows that no event is missing.
   */
  readonly trouble: () => Promise<string | undefined>
}

/** A pending read. */
type Asking = {
  readonly deadlineMs: number
  readonly answer: (db: SqliteQueries, checkpoint: Position) => void
  readonly giveUp: () => void
}

/** Asks the writer of the rows on every read, so that a stalled writer is noticed before the next event arrives. */
export const watchCurrency = (reader: Pick<SqliteReader, 'read' | 'waitFor' | 'needed' | 'checkpoint'>): Currency => {
  let gathering: Asking[] = []
  let known: Date | undefined

  /** Answers all reads in one transaction; its own checkpoint decides whether the rows are new enough. */
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
      await reader.waitFor(needed, Math.max(...asking.map(({ deadlineMs }) => deadlineMs)) - performance.now())
      if (!answered(asking, needed)) throw new Error('The read model is behind.')
    }
    noteCurrent(at)
  }

  /** Reads of one turn of the event loop share one question to the writer, which shares one store read between questions. */
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
        gathering.push({ deadlineMs: performance.now() + withinMs, answer, giveUp })
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
