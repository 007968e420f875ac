// Rebuilds a read model beside the current version, within a share of the processor, and records the progress.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import type { Progress, Wish, Wishes } from '../operate/wishes.ts'
import type { RunningProjection } from './running-projection.ts'

/** Leaves the rest of the processor to the current version. */
export const rebuildCoresDefault = 0.5
const noteEveryMs = 1_000
const catchUpPollMs = 20
/** Limit on the pause of the current version during a swap; after it the swap is tried again later. */
const catchUpMsMax = 10_000

/**
 * Limits the processor use of this process, all of it, to a number of cores; called after every batch.
 * @param cores more than 0
 * @param signal ends a wait under way
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
  /** Resolves once the copy has caught up with the store. */
  readonly whenBuilt: Promise<void>
  /** Resolves once the copy has reached the position, rejects when that takes too long. */
  readonly reaches: (position: Position) => Promise<void>
  /** Ends the rebuild; the unfinished copy stays. */
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
      .then((current) => wishes.note(wish, current))
      .catch((error: unknown) => logger.warn({ err: error }, 'the progress of a rebuild could not be stored'))
  }
  note()
  const timer = setInterval(note, noteEveryMs)

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
      clearInterval(timer)
      await building.stop()
      await noting
    },
  }
}
