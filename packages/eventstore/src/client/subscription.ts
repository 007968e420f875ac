// Follows categories of $all from a position and passes batches to a handler: reconnects, and detects silent connections.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import type { StoredEvent } from '../codec.ts'
import { comparePosition, laterPosition, type Position } from '../position.ts'
import type { EventStore, OpenSubscription } from './client.ts'

const batchSizeMaxDefault = 500
const silenceMsMaxDefault = 10_000
/** The server reports its position only after hundreds of events: after this time without a message the head is read. */
const quietMsMaxDefault = 500
const reconnectBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }

/** The events since the last batch; at least one event or a later position. */
export type Batch = {
  /** In the order of `$all`, all after the last batch. */
  readonly events: readonly StoredEvent[]
  /** All events of the categories up to here are delivered: the checkpoint to store with the effects of the batch. */
  readonly position: Position
}

export type SubscriptionStats = {
  /** Number of times the subscription was reopened. */
  readonly reconnects: number
  /** All events that were in the store at some moment since the last (re)connection have been handled. */
  readonly caughtUp: boolean
  /** Everything up to here has been handled. */
  readonly position: Position
}

export type Subscription = {
  readonly stats: () => SubscriptionStats
  readonly whenCaughtUp: () => Promise<void>
  /** Resolves after `stop`; rejects with the error of `handle`, which is not called again. */
  readonly stopped: Promise<void>
  /** Waits for the current batch, then ends. */
  readonly stop: () => Promise<void>
}

export type SubscriptionOptions = {
  readonly store: EventStore
  readonly name: string
  readonly categories: readonly string[]
  /** Everything up to here has been handled before. */
  readonly from: Position
  /** One batch at a time. Throwing ends the subscription: errors to survive are handled inside. */
  readonly handle: (batch: Batch) => Promise<void>
  /**
   * Awaited after the first message of every reconnection, before its events are passed on: it may lead to another
   * store. Throwing ends the subscription.
   */
  readonly reconnected?: () => Promise<void>
  readonly logger: Logger
  readonly batchSizeMax?: number
  /** Time without a message after which a connection is reopened if events lie ahead. */
  readonly silenceMsMax?: number
  /** Time without a message after which the store is asked whether newer events are all of other categories. */
  readonly quietMsMax?: number
}

export const startSubscription = ({
  store,
  name,
  categories,
  from,
  handle,
  reconnected = async () => undefined,
  logger,
  batchSizeMax = batchSizeMaxDefault,
  silenceMsMax = silenceMsMaxDefault,
  quietMsMax = quietMsMaxDefault,
}: SubscriptionOptions): Subscription => {
  const bufferedMax = batchSizeMax * 2
  const ending = new AbortController()
  let buffered: StoredEvent[] = []
  let received = from
  let handled = from
  let headWhenOpened: Position | undefined
  let open: OpenSubscription | undefined
  let paused = false
  let failures = 0
  let opened = 0
  let lastActiveConnection = 1
  /** By `performance.now()`: the system clock may be set. */
  let heardAt = performance.now()
  let wake: () => void = () => undefined
  const caughtUpWaiters = new Set<() => void>()

  const caughtUp = () => headWhenOpened !== undefined && comparePosition(handled, headWhenOpened) >= 0

  const heard = (position: Position) => {
    heardAt = performance.now()
    lastActiveConnection = opened
    failures = 0
    received = position
    wake()
  }

  const connect = () => {
    if (ending.signal.aborted) return
    opened++
    paused = false
    heardAt = performance.now()
    const subscription = store.subscribe(categories, received, {
      onEvent: (event) => {
        if (open !== subscription) return
        buffered.push(event)
        heard(event.position)
        if (buffered.length >= bufferedMax && !paused) {
          paused = true
          subscription.pause()
        }
      },
      onCheckpoint: (position) => {
        if (open === subscription) heard(laterPosition(position, received))
      },
      onCaughtUp: () => {
        if (open !== subscription) return
        headWhenOpened = received
        heard(received)
      },
      onEnd: (error) => {
        if (open === subscription) void reconnect(error)
      },
    })
    open = subscription
  }

  const reconnect = async (reason: unknown) => {
    open?.close()
    open = undefined
    headWhenOpened = undefined
    failures++
    if (failures === 1) logger.info({ subscription: name, err: reason }, 'subscription interrupted; reconnecting')
    await waitAfter(failures, reconnectBackoff, ending.signal)
    connect()
  }

  /** Asks the store for events that the connection does not deliver. */
  const checkForMissedEvents = async (watched: OpenSubscription) => {
    const from = received
    const head = await store.head()
    // The head is read first: events appended after it must not be skipped.
    const next = comparePosition(head, from) > 0 ? await store.eventAfter(categories, from) : undefined
    if (open !== watched || received !== from) return
    const silentMs = performance.now() - heardAt
    if (next && comparePosition(next.position, head) <= 0) {
      if (silentMs < silenceMsMax) return
      logger.warn({ subscription: name, missed: next.id }, 'subscription is silent though events lie ahead; reopening')
      await reconnect(new Error('silent subscription'))
      return
    }
    heardAt = performance.now()
    // Before its first message a new connection may lead to another store.
    if (lastActiveConnection !== opened || comparePosition(head, from) <= 0) return
    received = head
    wake()
  }

  // A connection can look alive while it delivers nothing.
  let looking = false
  const watchdog = setInterval(
    async () => {
      if (!open || looking || paused || performance.now() - heardAt < quietMsMax) return
      looking = true
      await checkForMissedEvents(open).catch(() => undefined) // the connection itself reports outages
      looking = false
    },
    Math.min(quietMsMax, silenceMsMax),
  )

  const take = (): Batch | undefined => {
    if (buffered.length === 0 && comparePosition(received, handled) <= 0) return undefined
    const events = buffered.slice(0, batchSizeMax)
    buffered = buffered.slice(batchSizeMax)
    const last = events.at(-1)
    return { events, position: buffered.length > 0 && last ? last.position : received }
  }

  const pump = async () => {
    let knownConnection = 1
    for (;;) {
      // Lets events that arrived during the last batch join the next one.
      await nextTurn()
      if (ending.signal.aborted) return
      if (lastActiveConnection !== knownConnection) {
        const connection = lastActiveConnection
        await reconnected()
        knownConnection = connection
        continue
      }
      const batch = take()
      if (!batch) {
        if (caughtUp()) for (const resolve of caughtUpWaiters) resolve()
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      if (paused && buffered.length < bufferedMax) {
        paused = false
        open?.resume()
      }
      await handle(batch)
      handled = batch.position
    }
  }

  const end = () => {
    ending.abort()
    clearInterval(watchdog)
    open?.close()
    open = undefined
    wake()
  }

  connect()
  const stopped = pump().finally(end)
  stopped.catch(() => undefined) // callers that await `stopped` see the error

  return {
    stats: () => ({ reconnects: opened - 1, caughtUp: caughtUp(), position: handled }),
    whenCaughtUp: async () => {
      if (caughtUp()) return
      const reached = new Promise<void>((resolve) => {
        caughtUpWaiters.add(resolve)
      })
      // The pump ends without ever catching up when it is stopped or its handler fails.
      await Promise.race([reached, stopped.then(() => Promise.reject(new Error(`Subscription ${name} was stopped.`)))])
    },
    stopped,
    stop: async () => {
      end()
      await stopped.catch(() => undefined)
    },
  }
}
