// Executes operator requests (retry, skip, pause, rebuild) on a running projection.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import type { Position } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import type { ParkedEvent } from '../model/parked.ts'
import type { Scratch, Sink } from '../model/sink.ts'
import { createThrottle, followRebuild, type Rebuild, rebuildCoresDefault } from '../run/rebuild.ts'
import type { RunningProjection } from '../run/running-projection.ts'
import type { Writer } from '../run/writer.ts'
import type { Wish, Wishes } from './wishes.ts'

const pollMs = 500

/** The projection, as operator requests control it. */
export type Attended = {
  /** Undefined unless it is writing. */
  readonly writer: () => Writer | undefined
  /** True when it has stopped for a reason that a rebuild may remove. */
  readonly hasEnded: () => boolean
  /** The ID of the event at which it has stopped. */
  readonly stoppedAt: () => string | undefined
  /** Restarts it, so that the operator's request for that event can be applied. */
  readonly beginAgain: () => void
  /** Finishes the batch in hand; nothing is written until `go`. */
  readonly hold: (why: 'pause' | 'swap') => Promise<void>
  readonly go: (why: 'pause' | 'swap') => void
  /** The position that a copy must reach before it replaces this one. */
  readonly position: () => Position | undefined
  /** The events that operators have skipped. */
  readonly skipped: () => Promise<readonly ParkedEvent[]>
  readonly startCopy: (
    sink: Sink,
    skipped: readonly ParkedEvent[],
    afterBatch: () => Promise<void>,
  ) => RunningProjection
}

export type Attending = {
  readonly paused: () => Wish | undefined
  /** Applies operator requests now. */
  readonly look: () => Promise<void>
  /** Applies operator requests for parked events now. */
  readonly lookAtParked: () => Promise<void>
  readonly stop: () => Promise<void>
}

const idsOf = (events: readonly ParkedEvent[]): string =>
  events
    .map(({ event }) => event.id)
    .sort()
    .join()

export const attend = ({
  name,
  wishes,
  scratch,
  store,
  follower,
  logger,
}: {
  readonly name: string
  readonly wishes: Wishes
  readonly scratch: Scratch | undefined
  readonly store: Pick<EventStore, 'head'>
  readonly follower: Attended
  readonly logger: Logger
}): Attending => {
  const ending = new AbortController()
  let paused: Wish | undefined
  let rebuild: Rebuild | undefined
  let isBuilt = false
  let hurrying = new AbortController()
  /** A copy from an earlier request still has to be dropped. */
  let isToBeDropped = false
  /** IDs of the events that the copy skips. */
  let skippedInCopy = ''

  const seeToPause = async (wish: Wish | undefined) => {
    const wasPaused = paused
    paused = wish
    if (wish && !wasPaused) await follower.hold('pause')
    if (!wish && wasPaused) follower.go('pause')
  }

  const seeToParked = async ({ kind, eventId, by, at, reason = '' }: Wish) => {
    const writer = follower.writer()
    if (!writer && follower.stoppedAt() === eventId) follower.beginAgain()
    if (!writer) return
    const become = kind === 'retry' ? await writer.retry(eventId) : await writer.skip(eventId, { reason, by, at })
    logger.info({ projection: name, kind, eventId, by, become }, 'an operator request for a parked event was applied')
    await wishes.remove({ kind, eventId })
  }

  const endRebuild = async () => {
    const ended = rebuild
    rebuild = undefined
    isBuilt = false
    hurrying.abort()
    await ended?.stop()
  }

  const beginRebuild = async (wish: Wish, skipped: readonly ParkedEvent[], { open, drop }: Scratch) => {
    // Another process may have started this rebuild: it is resumed.
    if (await wishes.begin(wish)) isToBeDropped = !wish.goesOn
    if (isToBeDropped) await drop()
    isToBeDropped = false
    skippedInCopy = idsOf(skipped)
    hurrying = new AbortController()
    const throttle = createThrottle(wish.coresMax ?? rebuildCoresDefault, hurrying.signal)
    const building = follower.startCopy(open(), skipped, throttle)
    const started = followRebuild({ wish, wishes, building, store, logger })
    rebuild = started
    started.whenBuilt.then(
      () => {
        isBuilt = rebuild === started
      },
      () => undefined, // the recorded progress says why
    )
    logger.info({ projection: name, by: wish.by }, 'the rebuild of the read model has started')
  }

  const takeItsPlace = async (built: Rebuild, { swap }: Scratch) => {
    await follower.hold('swap')
    try {
      const position = follower.position()
      if (position) await built.reaches(position)
      await endRebuild()
      await swap()
      await wishes.remove(built.wish)
      logger.info({ projection: name }, 'the rebuilt read model has replaced the current version')
    } finally {
      follower.go('swap')
    }
  }

  const seeToRebuild = async (wish: Wish | undefined, scratch: Scratch) => {
    const isOurs = follower.writer() !== undefined || follower.hasEnded()
    const skipped = wish && isOurs ? await follower.skipped() : []
    const isAsWished = rebuild?.wish.at.getTime() === wish?.at.getTime() && skippedInCopy === idsOf(skipped)
    if (rebuild && !(isOurs && isAsWished)) await endRebuild()
    if (wish && isOurs && !rebuild) await beginRebuild(wish, skipped, scratch)
    if (rebuild && isBuilt) await takeItsPlace(rebuild, scratch)
  }

  const seeToAllParked = async (all: readonly Wish[]) => {
    for (const wish of all) if (wish.kind === 'retry' || wish.kind === 'skip') await seeToParked(wish)
  }

  const see = async () => {
    const all = await wishes.all()
    const ofKind = (kind: Wish['kind']) => all.find((wish) => wish.kind === kind)
    await seeToPause(ofKind('pause'))
    await seeToAllParked(all)
    if (scratch) await seeToRebuild(ofKind('rebuild'), scratch)
  }

  /** One at a time; a request that could not be applied is kept. */
  let looking = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => {
    looking = looking.then(work).catch((error: unknown) => {
      if (!ending.signal.aborted)
        logger.warn({ projection: name, err: error }, 'operator requests could not be applied')
    })
    return looking
  }
  const look = () => inTurn(see)
  const attending = (async () => {
    while (!ending.signal.aborted) {
      await sleep(pollMs, undefined, { signal: ending.signal }).catch(() => undefined)
      if (!ending.signal.aborted) await look()
    }
  })()

  return {
    paused: () => paused,
    look,
    lookAtParked: () => inTurn(async () => seeToAllParked(await wishes.all())),
    stop: async () => {
      ending.abort()
      await attending
      await endRebuild()
    },
  }
}
