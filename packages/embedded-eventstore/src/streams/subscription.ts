// Serves catch-up subscriptions: reads existing events, reports "caught up", then sends every committed event.
import { randomUUID } from 'node:crypto'
import { firstRevision } from '../store/names.ts'
import { pageBytesMax, pageEventsMax } from '../store/pages.ts'
import { tombstoneRevision } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { youngEnough } from '../store/visible.ts'
import { breathe, isOver, type ReadCall } from '../wire/calls.ts'
import { Refused } from '../wire/errors.ts'
import { createEncode } from './events.ts'
import { createFilter } from './filter.ts'
import type { FilterOptions, ReadRequest } from './read-request.ts'
import { caughtUp, encodeCheckpoint, encodeConfirmation } from './replies.ts'

type Feed = {
  /**
   * Sends the next page.
   * @param wasLive Retention (`$tb`, `$maxCount`, `$maxAge`) hides events only from a subscriber that is catching up. Once
   * it was live it gets every committed event, also when it has fallen behind.
   * @returns true when there are more events
   */
  readonly sendPage: (wasLive: boolean) => boolean
  readonly beforeCaughtUp: () => void
  readonly watch: (wake: () => void) => () => void
}

export const createSignal = () => {
  let raised = false
  let resolve: (() => void) | undefined
  return {
    raise: (): void => {
      raised = true
      resolve?.()
    },
    wait: async (): Promise<void> => {
      if (!raised) await new Promise<void>((settle) => (resolve = settle))
      raised = false
      resolve = undefined
    },
    lower: (): void => {
      raised = false
    },
  }
}

const nothing = (): void => {}

// The start of a subscription is exclusive: the last event that the subscriber has seen.
const firstAfter = ({ source }: ReadRequest, start: number, head: number): number =>
  source.from === 'start' ? start : source.from === 'end' ? head + 1 : source.from + 1

const streamFeed = (call: ReadCall, store: Store, request: ReadRequest, streamName: string): Feed => {
  const encode = createEncode(store, request)
  let next = firstAfter(request, 0, store.names.head(streamName).revision)
  return {
    beforeCaughtUp: nothing,
    watch: (wake) => store.watchStream(streamName, wake),
    sendPage: (wasLive) => {
      const head = store.names.head(streamName)
      const { stream, revision, metadata } = head
      if (stream === undefined || revision < next) {
        // Its tombstone was sent, or is older than the subscription.
        if (store.names.isTombstoned(streamName)) throw new Refused({ kind: 'stream deleted', streamName })
        return false
      }
      const first = wasLive ? next : Math.max(next, firstRevision(head))
      const rows = store.pages.stream(stream, first, 'forwards', pageEventsMax)
      next = (rows.at(-1)?.[3] ?? revision) + 1
      for (const row of wasLive ? rows : rows.filter(youngEnough(metadata))) call.write(encode(row))
      // The subscription ends after a tombstone.
      return next <= revision || revision === tombstoneRevision
    },
  }
}

const allFeed = (call: ReadCall, store: Store, request: ReadRequest): Feed => {
  const encode = createEncode(store, request)
  let next = firstAfter(request, 1, store.head())
  return {
    beforeCaughtUp: nothing,
    watch: store.watchAll,
    sendPage: () => {
      if (store.head() < next) return false
      const rows = store.pages.all(next, 'forwards', pageEventsMax)
      next = (rows.at(-1)?.[0] ?? next - 1) + 1
      for (const row of rows) if (!store.names.isHiddenOfAll(row[1])) call.write(encode(row))
      return next <= store.head()
    },
  }
}

const filteredFeed = (call: ReadCall, store: Store, request: ReadRequest, options: FilterOptions): Feed => {
  const encode = createEncode(store, request)
  const matching = createFilter(options, store.names)
  const checkpointEvents = options.checkpointIntervalMultiplier * options.searchWindow
  let next = firstAfter(request, 1, store.head())
  let considered = 0
  let lastConsidered = 0
  let lastCheckpoint = 0

  const checkpoint = (): void => {
    if (lastConsidered === lastCheckpoint) return
    call.write(encodeCheckpoint(lastConsidered))
    lastCheckpoint = lastConsidered
  }

  const sendPage = (): boolean => {
    if (store.head() < next) return false
    const { places, matches } = matching(store.pages.places(next, 'forwards'))
    let sentBytes = 0
    for (const place of places) {
      const row = !store.names.isHiddenOfAll(place[1]) && matches(place) ? store.pages.at(place[0]) : undefined
      if (row) {
        const message = encode(row)
        call.write(message)
        sentBytes += message.length
      }
      next = place[0] + 1
      lastConsidered = place[0]
      considered = (considered + 1) % checkpointEvents
      // The interval counts every examined event, sent or not.
      if (considered === 0) checkpoint()
      if (sentBytes >= pageBytesMax) break
    }
    return next <= store.head()
  }
  return { sendPage, beforeCaughtUp: checkpoint, watch: store.watchAll }
}

const createFeed = (call: ReadCall, store: Store, request: ReadRequest): Feed => {
  if (request.source.kind === 'stream') return streamFeed(call, store, request, request.source.streamName)
  if (request.filter) return filteredFeed(call, store, request, request.filter)
  return allFeed(call, store, request)
}

export const subscribe = async (call: ReadCall, store: Store, request: ReadRequest): Promise<void> => {
  const feed = createFeed(call, store, request)
  const signal = createSignal()
  const unwatch = feed.watch(signal.raise)
  for (const event of ['cancelled', 'close', 'finish']) call.once(event, signal.raise)
  let live = false
  let wasLive = false
  try {
    call.write(encodeConfirmation(randomUUID()))
    while (!isOver(call)) {
      signal.lower()
      const more = feed.sendPage(wasLive)
      if (more) live = false
      if (more || call.writableNeedDrain) {
        await breathe(call)
        continue
      }
      if (!live) {
        feed.beforeCaughtUp()
        call.write(caughtUp)
        live = true
        wasLive = true
      }
      if (!isOver(call)) await signal.wait()
    }
  } finally {
    unwatch()
  }
}
