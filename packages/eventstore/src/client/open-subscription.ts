// One subscription of the official client to categories of $all, until it ends; subscription.ts makes it last.
import { type AllStreamSubscription, START, streamNameFilter } from '@eventstore/db-client'
import type { StoredEvent } from '../codec.ts'
import { beginning, comparePosition, type Position } from '../position.ts'
import { type AllStreamRecordedEvent, isKnown, toStoredEvent } from './client-events.ts'
import { hangUp, newConnection } from './connection.ts'

/** How many events the server looks at, matching or not, before it tells a filtered subscription where it is. */
const searchWindowEvents = 500

/** What a subscription tells; calls come in the order of `$all`. */
export type SubscriptionHandlers = {
  readonly onEvent: (event: StoredEvent) => void
  /** Everything up to here has been seen; nothing up to here will follow. */
  readonly onCheckpoint: (position: Position) => void
  readonly onCaughtUp: () => void
  /** Called once, unless closed before. The subscription is over. */
  readonly onEnd: (error: unknown) => void
}

export type OpenSubscription = { readonly pause: () => void; readonly resume: () => void; readonly close: () => void }

export const openSubscription = (
  url: string,
  /** Of the names of streams. */
  prefixes: readonly string[],
  after: Position,
  { onEvent, onCheckpoint, onCaughtUp, onEnd }: SubscriptionHandlers,
  of: { readonly requiresLeader?: boolean } = {},
): OpenSubscription => {
  // A connection of its own: a call that fails makes the client drop the connection with all that runs on it.
  const own = newConnection(url)
  let over = false
  let seen = after
  /** The client reports checkpoints and catching up ahead of events that still wait in its buffer. */
  const delivered = (subscription: AllStreamSubscription, report: () => void) => {
    if (subscription.readableLength === 0) report()
    else reports.push(report)
  }
  const reports: (() => void)[] = []
  const subscription = own.subscribeToAll({
    ...of,
    fromPosition: comparePosition(after, beginning) === 0 ? START : after,
    filter: {
      ...streamNameFilter({
        prefixes: [...prefixes],
        maxSearchWindow: searchWindowEvents,
      }),
      checkpointReached: (reached, position) => {
        delivered(reached, () => {
          if (!over && isKnown(position) && comparePosition(position, seen) > 0) {
            seen = position
            onCheckpoint(position)
          }
        })
      },
    },
  })
  const letGo = async () => {
    await subscription.unsubscribe().catch(() => undefined)
    await hangUp(own)
  }
  const end = (error: unknown) => {
    if (over) return
    over = true
    void letGo()
    onEnd(error)
  }
  subscription.on('data', ({ event }: { event?: AllStreamRecordedEvent }) => {
    if (over) return
    if (event) {
      seen = event.position
      onEvent(toStoredEvent(event, event.position))
    }
    if (subscription.readableLength === 0) for (const report of reports.splice(0)) report()
  })
  subscription.on('caughtUp', () => delivered(subscription, () => over || onCaughtUp()))
  subscription.on('error', end)
  subscription.on('end', () => end(new Error('The server ended the subscription.')))
  subscription.on('close', () => end(new Error('The subscription was closed.')))
  return {
    pause: () => subscription.pause(),
    resume: () => subscription.resume(),
    close: () => {
      over = true
      void letGo()
    },
  }
}
