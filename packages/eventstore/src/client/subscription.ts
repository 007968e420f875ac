// Follows categories of $all from a position and hands batches to a handler, for ever: reconnects, and notices silence.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import type { StoredEvent } from '../codec.ts'
import { comparePosition, laterPosition, type Position } from '../position.ts'
import type { EventStore, OpenSubscription } from './client.ts'

const batchSizeMaxDefault = 500
const silenceMsMaxDefault = 10_000
/** The server tells where it is after hundreds of events; whoever waits for a position does not wait for that. */
const quietMsMaxDefault = 500
const reconnectBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }

/** What has arrived since the last batch; at least an event or a step forward. */
export type Batch = {
  /** In the order of `$all`, all after the batch before. */
  readonly events: readonly StoredEvent[]
  /** Everything of the categories up to here has been seen: the checkpoint to keep with what follows from the events. */
  readonly position: Position
}

export type SubscriptionStats = {
  /** How often the subscription was opened again after the first time. */
  readonly reconnects: number
  /** All that was in the store at some moment since the last (re)connection has been handled. */
  readonly caughtUp: boolean
  /** Everything up to here has been handled. */
  readonly position: Position
}

export type Subscription = {
  readonly stats: () => SubscriptionStats
  readonly whenCaughtUp: () => Promise<void>
  /** Resolves after `stop`; rejects with what `handle` threw, after which nothing is handed over any more. */
  readonly stopped: Promise<void>
  /** Waits for the batch in hand, then ends. */
  readonly stop: () => Promise<void>
}

export type SubscriptionOptions = {
  readonly store: EventStore
  readonly name: string
  readonly categories: readonly string[]
  /** Everything up to here has been handled before. */
  readonly from: Position
  /** One batch at a time. Throwing ends the subscription: whoever can go on after an error handles it inside. */
  readonly handle: (batch: Batch) => Promise<void>
  /**
   * Awaited after every reconnection that says something, if only that nothing is new, and before what it brings is
   * handed over: behind it there may be another store. Throwing ends the subscription.
   */
  readonly reconnected?: () => Promise<void>
  readonly logger: Logger
  readonly batchSizeMax?: number
  /** After so long without a word the store is asked whether something lies ahead. */
  readonly silenceMsMax?: number
  /** After so long without a word the store is asked whether all that is new is of other categories. */
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
  let liveFrom: Position | undefined
  let open: OpenSubscription | undefined
  let paused = false
  let failures = 0
  let opened = 0
  let heardOn = 1
  /** By `performance.now()`: the clock on the wall may be set. */
  let heardAt = performance.now()
  let wake: () => void = () => undefined
  const caughtUpWaiters = new Set<() => void>()

  const caughtUp = () => liveFrom !== undefined && comparePosition(handled, liveFrom) >= 0

  const heard = (position: Position) => {
    heardAt = performance.now()
    heardOn = opened
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
        liveFrom = received
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
    liveFrom = undefined
    failures++
    if (failures === 1) logger.info({ subscription: name, err: reason }, 'subscription interrupted; reconnecting')
    await waitAfter(failures, reconnectBackoff, ending.signal)
    connect()
  }

  /** Asks the store what lies ahead: nothing of these categories, or something that the connection does not bring. */
  const lookAhead = async (watched: OpenSubscription) => {
    const from = received
    const head = await store.head()
    // The head comes first: what is appended after it is not covered by it.
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
    // Until a new connection has spoken, there may be another store behind it.
    if (heardOn !== opened || comparePosition(head, from) <= 0) return
    received = head
    wake()
  }

  // A connection can look alive while nothing comes through it any more.
  let looking = false
  const watchdog = setInterval(
    async () => {
      if (!open || looking || paused || performance.now() - heardAt < quietMsMax) return
      looking = true
      await lookAhead(open).catch(() => undefined) // the store's trouble is told by the connection itself
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
      // What has arrived while the last batch was handled comes in now, and makes the next one larger.
      await nextTurn()
      if (ending.signal.aborted) return
      if (heardOn !== knownConnection) {
        const connection = heardOn
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
  stopped.catch(() => undefined) // whoever cares awaits `stopped`

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
