// Follows categories of $all from a position and hands batches to a handler, for ever: reconnects, and notices silence.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from './backoff.ts'
import type { EventStore, OpenSubscription } from './client.ts'
import type { StoredEvent } from './codec.ts'
import { comparePosition, type Position } from './position.ts'

const batchSizeMaxDefault = 500
const silenceMsMaxDefault = 10_000
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
  readonly logger: Logger
  readonly batchSizeMax?: number
  /** After so long without a word the store is asked whether something lies ahead. */
  readonly silenceMsMax?: number
}

export const startSubscription = ({
  store,
  name,
  categories,
  from,
  handle,
  logger,
  batchSizeMax = batchSizeMaxDefault,
  silenceMsMax = silenceMsMaxDefault,
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
  let heardAt = Date.now()
  let wake: () => void = () => undefined
  const caughtUpWaiters = new Set<() => void>()

  const caughtUp = () => liveFrom !== undefined && comparePosition(handled, liveFrom) >= 0

  const heard = (position: Position) => {
    heardAt = Date.now()
    failures = 0
    received = position
    wake()
  }

  const connect = () => {
    if (ending.signal.aborted) return
    opened++
    paused = false
    heardAt = Date.now()
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
        if (open === subscription) heard(position)
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

  // A connection can look alive while nothing comes through it any more.
  const watchdog = setInterval(async () => {
    const watched = open
    if (!watched || paused || Date.now() - heardAt < silenceMsMax) return
    const missed = await store.eventAfter(categories, received).catch(() => undefined)
    if (!missed || open !== watched || comparePosition(missed.position, received) <= 0) return
    logger.warn({ subscription: name, missed: missed.id }, 'subscription is silent though events lie ahead; reopening')
    await reconnect(new Error('silent subscription'))
  }, silenceMsMax)

  const take = (): Batch | undefined => {
    if (buffered.length === 0 && comparePosition(received, handled) <= 0) return undefined
    const events = buffered.slice(0, batchSizeMax)
    buffered = buffered.slice(batchSizeMax)
    const last = events.at(-1)
    return { events, position: buffered.length > 0 && last ? last.position : received }
  }

  const pump = async () => {
    for (;;) {
      // What has arrived while the last batch was handled comes in now, and makes the next one larger.
      await nextTurn()
      if (ending.signal.aborted) return
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
