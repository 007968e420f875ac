// Builds a read model again beside the one that serves, within a share of the processor, and tells how far it is.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import type { Progress, Wish, Wishes } from '../operate/wishes.ts'
import type { RunningProjection } from './running-projection.ts'

/** What is left of the processor is for the read model that serves. */
export const rebuildCoresDefault = 0.5
const noteEveryMs = 1_000
const catchUpPollMs = 20
/** Nothing is written so long at most; then the one that serves goes on, and it is tried again. */
const catchUpMsMax = 10_000

/**
 * Keeps what this process uses of the processor, all of it, below so many cores while it is called after every batch.
 * @param cores more than 0
 * @param signal ends the waiting that is under way
 */
export const createThrottle = (cores: number, signal: AbortSignal): (() => Promise<void>) => {
  let since = performance.now()
  let usage = process.cpuUsage()
  return async () => {
    const { user, system } = process.cpuUsage(usage)
    const usedMs = (user + system) / 1_000
    const waitMs = usedMs / cores - (performance.now() - since)
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
    since = performance.now()
    usage = process.cpuUsage()
  }
}

export type Rebuild = {
  readonly wish: Wish
  /** All of the store's events are in, as far as they were there a moment ago. */
  readonly whenBuilt: Promise<void>
  /** Resolves once the copy is at least so far, rejects when that takes too long. */
  readonly reaches: (position: Position) => Promise<void>
  /** Ends the building; what is built stays. */
  readonly stop: () => Promise<void>
}

/** @param building the projection into the scratch copy, already started */
export const followRebuild = ({
  wish,
  wishes,
  building,
  store,
  logger,
}: {
  readonly wish: Wish
  readonly wishes: Wishes
  readonly building: RunningProjection
  readonly store: Pick<EventStore, 'head'>
  readonly logger: Logger
}): Rebuild => {
  const startedAt = performance.now()
  let first: Position | undefined

  const progress = async (): Promise<Progress> => {
    const { position, handled, reason } = building.status()
    const head = await store.head()
    const seconds = (performance.now() - startedAt) / 1_000
    first ??= position
    const done = Number(position.commit - first.commit)
    const left = Number(head.commit - position.commit)
    return {
      events: handled,
      position: formatPosition(position),
      head: formatPosition(head),
      eventsPerSecond: handled / seconds,
      secondsLeft: done > 0 ? (left / done) * seconds : undefined,
      at: new Date(),
      trouble: reason,
    }
  }
  let noting: Promise<void> = Promise.resolve()
  const note = () => {
    noting = progress()
      .then((told) => wishes.note(wish, told))
      .catch((error: unknown) => logger.warn({ err: error }, 'how far a rebuild is could not be written down'))
  }
  note()
  const telling = setInterval(note, noteEveryMs)

  return {
    wish,
    whenBuilt: building.whenLive(),
    reaches: async (position) => {
      const deadline = performance.now() + catchUpMsMax
      while (comparePosition(building.status().position, position) < 0) {
        if (performance.now() > deadline) throw new Error(`The copy did not catch up within ${catchUpMsMax} ms.`)
        await sleep(catchUpPollMs)
      }
    },
    stop: async () => {
      clearInterval(telling)
      await building.stop()
      await noting
    },
  }
}
