// Proves that a read model on this node is current: that nothing of its categories was in the store, when asked, that is not in its rows.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client'
import { beginning, comparePosition, laterPosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import type { SqliteReader } from './sqlite-reader.ts'

const pageEvents = 500
/** One look costs as much as several answers, so the more ask, the more share one; two, so that the store is never waited for twice. */
const looksAtOnceMax = 2

/** Up to where the store was looked through, and the last event of the categories on the way. */
type Looked = { readonly at: Date; readonly needed: Position }

export type Currency = {
  /**
   * True when the rows hold every event that was in the store at some moment after the call; false when that cannot be
   * shown in time. What is then read is at least that new.
   */
  readonly confirm: (withinMs: number) => Promise<boolean>
  /** When the read model was last known to be current. */
  readonly knownAt: () => Date | undefined
}

/**
 * The checkpoint alone does not tell: it stands still while only other categories are written. And it is not enough that
 * nothing lies ahead: a projector that stands still is noticed before the next event, not by it.
 */
export const watchCurrency = (
  store: Pick<EventStore, 'readAfter'>,
  reader: Pick<SqliteReader, 'checkpoint' | 'waitFor' | 'hearWriter'>,
  categories: readonly string[],
): Currency => {
  let known: Date | undefined
  let seenCheckpoint = beginning
  /** Everything up to here is in the rows of whatever checkpoint has reached `needed`. */
  let lookedUpTo = beginning
  let needed = beginning
  let rebuilds = 0
  let underWay = 0
  let gathering: PromiseWithResolvers<Looked> | undefined

  const checkpointNow = (): Position => {
    const checkpoint = reader.checkpoint()
    if (comparePosition(checkpoint, seenCheckpoint) < 0) {
      // The read model is being built again: what it had once says nothing about what it has.
      lookedUpTo = beginning
      needed = beginning
      rebuilds++
    }
    seenCheckpoint = checkpoint
    return checkpoint
  }

  /** To the end of the store as it is now; each event is looked at once. */
  const look = async (): Promise<Looked> => {
    const at = new Date()
    const writer = reader.hearWriter()
    writer.catch(() => undefined) // awaited below
    const checkpoint = checkpointNow()
    const begunWith = rebuilds
    let from = laterPosition(lookedUpTo, checkpoint)
    for (let isEnd = false; !isEnd; ) {
      const page = await store.readAfter(from, pageEvents)
      if (rebuilds !== begunWith) throw new Error('The read model was begun anew meanwhile.')
      const last = page.findLast(({ stream }) => categories.includes(categoryOf(stream)))
      from = page.at(-1)?.position ?? from
      if (last) needed = laterPosition(needed, last.position)
      lookedUpTo = laterPosition(lookedUpTo, from)
      isEnd = page.length < pageEvents
    }
    await writer
    return { at, needed }
  }

  const launch = () => {
    const served = gathering
    if (!served || underWay === looksAtOnceMax) return
    gathering = undefined
    underWay++
    look()
      .then(served.resolve, served.reject)
      .finally(() => {
        underWay--
        launch()
      })
  }

  /** Begins after the call, and serves all who call before it does. */
  const lookAfterNow = (): Promise<Looked> => {
    if (!gathering) {
      gathering = Promise.withResolvers()
      // Whoever asks in the same turn of the event loop comes along.
      setImmediate(launch)
    }
    return gathering.promise
  }

  const confirmed = async (withinMs: number): Promise<boolean> => {
    const { at, needed } = await lookAfterNow()
    if (!(await reader.waitFor(needed, withinMs))) return false
    if (!known || at > known) known = at
    return true
  }

  return {
    confirm: async (withinMs) => {
      const ending = new AbortController()
      const tooLate = sleep(withinMs, false, { signal: ending.signal }).catch(() => false)
      try {
        return await Promise.race([confirmed(withinMs).catch(() => false), tooLate])
      } finally {
        ending.abort()
      }
    },
    knownAt: () => known,
  }
}
