// One subscription of the official client to categories of $all, until it ends; subscription.ts reopens it.
import { type AllStreamSubscription, START, streamNameFilter } from '@eventstore/db-client'
import type { StoredEvent } from '../codec.ts'
import { beginning, comparePosition, type Position } from '../position.ts'
import { type AllStreamRecordedEvent, isKnown, toStoredEvent } from './client-events.ts'
import { closeChannel, newConnection } from './connection.ts'

/** Number of events that the server searches before it reports its position to a filtered subscription. */
const searchWindowEvents = 500

/** The callbacks of a subscription, called in the order of `$all`. */
export type SubscriptionHandlers = {
  readonly onEvent: (event: StoredEvent) => void
  /** No event up to here will follow. */
  readonly onCheckpoint: (position: Position) => void
  readonly onCaughtUp: () => void
  /** Called once, unless closed before, when the subscription has ended. */
  readonly onEnd: (error: unknown) => void
}

export type OpenSubscription = { readonly pause: () => void; readonly resume: () => void; readonly close: () => void }

export const openSubscription = (
  url: string,
  /** Prefixes of stream names. */
  prefixes: readonly string[],
  after: Position,
  { onEvent, onCheckpoint, onCaughtUp, onEnd }: SubscriptionHandlers,
  of: { readonly requiresLeader?: boolean } = {},
): OpenSubscription => {
  // Its own connection: after a failed call the client drops the connection with all other calls.
  const own = newConnection(url)
  let over = false
  let seen = after
  /** Delays reports: the client makes them before events that are still in its buffer. */
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
    await closeChannel(own)
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
