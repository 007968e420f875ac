// The parked events of a group, stored as links in a separate stream until they are replayed.

import { firstRevision } from '../store/names.ts'
import { ownAppend, ownMetadata, textEvent } from '../store/own-events.ts'
import type { Row } from '../store/pages.ts'
import { linkTarget } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { headToRead } from '../store/visible.ts'
import { createResolve } from '../streams/events.ts'
import type { Message } from './message.ts'
import { writeAll } from './own-streams.ts'
import { parkedStream } from './settings.ts'
import { idOf } from './source.ts'

const linkType = '$>'

export const createParked = (store: Store, key: string) => {
  const streamName = parkedStream(key)
  const resolve = createResolve(store, true)
  const head = () => {
    const found = headToRead(store, streamName)
    return found && { stream: found.stream, first: firstRevision(found), last: found.revision }
  }

  /** A link to the event itself, not to a link that leads to it. */
  const targetOf = ({ event, link, streamName: from, revision }: Message): string => {
    const target = event && link && linkTarget(link)
    return target ? `${target.revision}@${target.streamName}` : `${revision}@${from}`
  }

  const read = (row: Row): Omit<Message, 'sequence' | 'retryCount'> => ({
    ...resolve(row),
    id: idOf(row[4]),
    place: undefined,
    streamName,
    revision: row[3],
  })

  return {
    add: async (message: Message, reason: string): Promise<void> => {
      const details = { added: new Date().toISOString(), reason, subscriptionEventNumber: message.revision }
      await writeAll(store, [ownAppend(streamName, [textEvent(linkType, targetOf(message), details)])])
    },
    count: (): number => {
      const found = head()
      return found ? Math.max(0, found.last - found.first + 1) : 0
    },
    /** Removes those before `stopAt`, or all, and returns the events that still exist. */
    take: async (stopAt: number | undefined): Promise<Omit<Message, 'sequence' | 'retryCount'>[]> => {
      const found = head()
      if (!found) return []
      const end = Math.min(stopAt ?? Number.POSITIVE_INFINITY, found.last + 1)
      const taken: Omit<Message, 'sequence' | 'retryCount'>[] = []
      let next = found.first
      while (next < end) {
        const rows = store.pages.stream(found.stream, next, 'forwards', end - next)
        for (const row of rows) if (row[3] < end) taken.push(read(row))
        next = (rows.at(-1)?.[3] ?? end) + 1
      }
      if (next > found.first) await writeAll(store, [ownMetadata(streamName, { $tb: end })])
      return taken.filter(({ event }) => event !== undefined)
    },
  }
}
