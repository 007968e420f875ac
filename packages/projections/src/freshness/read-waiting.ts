// Reads the events that wait with a parked event: the rest of its stream or, where events are parked alone, only that event.
import { type StoredEvent, streamDeletedType } from '@headwater/eventstore/codec'
import { comparePosition, type Position } from '@headwater/eventstore/position'
import type { Projection } from '../model/projection.ts'
import type { EventPlace } from '../model/step.ts'

export const pageEvents = 500

type Options = {
  readonly read: (stream: string, from: bigint, maxCount: number) => Promise<readonly StoredEvent[] | 'deleted'>
  readonly parks: NonNullable<Projection<never, never>['parks']>
  /** Later events do not wait: the subscription has not delivered them yet. */
  readonly until: () => Position
  readonly isSkipped: (eventId: string) => boolean
}

/** Earlier releases parked the deletion event of a stream: its rows can still be removed. */
const deletionAt = (place: EventPlace): StoredEvent => ({
  ...place,
  type: streamDeletedType,
  data: {},
  metadata: {},
  recordedAt: new Date(),
})

/** @returns the events from a revision on, without skipped ones; more than a page when there are more */
export const waitingReader =
  ({ read, parks, until, isSkipped }: Options) =>
  async (place: EventPlace, from: bigint): Promise<readonly StoredEvent[]> => {
    const { id, stream } = place
    const readPage = async (next: bigint, count: number) => {
      const page = await read(stream, next, count)
      if (page !== 'deleted') return page
      return parks === 'stream' && next === place.revision ? [deletionAt(place)] : []
    }
    if (parks === 'event') return (await readPage(from, 1)).filter((event) => event.id === id)
    const found: StoredEvent[] = []
    for (let next = from; found.length <= pageEvents; ) {
      const page = await readPage(next, pageEvents + 1)
      for (const [n, event] of page.entries()) {
        const before = page[n - 1]
        if (before && comparePosition(event.position, before.position) <= 0)
          throw new Error('The event store does not say where events stand in $all: parked streams need that.')
      }
      const waiting = page.filter(({ position }) => comparePosition(position, until()) <= 0)
      found.push(...waiting.filter((event) => !isSkipped(event.id)))
      const last = waiting[pageEvents]
      if (!last) return found
      next = last.revision + 1n
    }
    return found
  }
