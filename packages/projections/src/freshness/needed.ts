// Tells readers how far rows have to be to be current: up to the last event of their categories that is in the store now.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import { beginning, laterPosition, type Position } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'

const pageEvents = 500
/** A look costs as much as many answers: of those who ask all the time more share one, and whoever asks alone waits for nobody. */
const lookEveryMs = 1

/**
 * The checkpoint alone does not tell: it stands still while only other categories are written.
 * @param checkpoint up to where the rows are
 * @returns a position that rows hold all of the categories' events at which were in the store at some moment after the call
 */
export const watchNeeded = (
  store: Pick<EventStore, 'readAfter'>,
  categories: readonly string[],
  checkpoint: () => Position,
): (() => Promise<Position>) => {
  /** Every event up to here has been looked at, or is in the rows. */
  let lookedUpTo = beginning
  let last = beginning

  /** To the end of the store as it is now; each event is looked at once. */
  const look = async (): Promise<Position> => {
    // Readers may have the rows of another writer, which is behind: they need what is in the rows here, too.
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
  // One at a time. A look that has begun may have missed what was written before the call: whoever comes then shares the next.
  return () => {
    next ??= looking.then(() => {
      next = undefined
      const begun = look()
      looking = Promise.allSettled([begun, sleep(lookEveryMs)])
      return begun
    })
    return next
  }
}
