// Finds the position that rows must reach to be fresh: that of the last stored event of their categories.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import { beginning, laterPosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'

const pageEvents = 500
/** One store read answers all requests that arrive within this time; a single request does not wait. */
const lookEveryMs = 1

/**
 * The checkpoint alone is not enough: it does not move while only other categories are written.
 * @param checkpoint of the rows
 * @returns a position: rows that have reached it hold every event of the categories that was stored at some moment after the call
 */
export const watchNeeded = (
  store: Pick<EventStore, 'readAfter'>,
  categories: readonly string[],
  checkpoint: () => Position,
): (() => Promise<Position>) => {
  /** Every event up to here has been read, or is in the rows. */
  let lookedUpTo = beginning
  let last = beginning

  /** Reads to the end of the store; each event is read once. */
  const look = async (): Promise<Position> => {
    // Readers may have older rows from another writer: they need the events of these rows, too.
    const reached = checkpoint()
    lookedUpTo = laterPosition(lookedUpTo, reached)
    for (let isEnd = false; !isEnd; ) {
      const page = await store.readAfter(lookedUpTo, pageEvents)
      const own = page.findLast(({ stream }) => categories.includes(categoryOf(stream)))
      if (own) last = own.position
      lookedUpTo = page.at(-1)?.position ?? lookedUpTo
      isEnd = page.length < pageEvents
    }
    return laterPosition(last, reached)
  }

  let looking: Promise<unknown> = Promise.resolve()
  let next: Promise<Position> | undefined
  // One at a time. A read under way may have missed an event stored before the call: later callers share the next read.
  return () => {
    next ??= looking.then(() => {
      next = undefined
      const running = look()
      looking = Promise.allSettled([running, sleep(lookEveryMs)])
      return running
    })
    return next
  }
}
