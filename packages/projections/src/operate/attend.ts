// Sees to what operators wish of a follower: retries and skips, a pause, building the read model again.
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

/** The follower, as it is attended to. */
export type Attended = {
  /** While it writes. */
  readonly writer: () => Writer | undefined
  /** It has ended for a reason that building the read model again may remove. */
  readonly hasEnded: () => boolean
  /** The id of the event at which it has stopped, while it stands there. */
  readonly stoppedAt: () => string | undefined
  /** Starts it again, so that the operator's request for that event can be applied. */
  readonly beginAgain: () => void
  /** Finishes the batch in hand; nothing is written until `go`. */
  readonly hold: (why: 'pause' | 'swap') => Promise<void>
  readonly go: (why: 'pause' | 'swap') => void
  /** Where a copy that is to take the place of this one has to be. */
  readonly position: () => Position | undefined
  /** The events that operators have decided to go on without. */
  readonly skipped: () => Promise<readonly ParkedEvent[]>
  readonly startCopy: (
    sink: Sink,
    skipped: readonly ParkedEvent[],
    afterBatch: () => Promise<void>,
  ) => RunningProjection
}

export type Attending = {
  readonly paused: () => Wish | undefined
  /** Looks now. */
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
  /** What is there is of before the wish, and could not be dropped yet. */
  let isToBeDropped = false
  /** Ids of what the copy in the making goes on without. */
  let passedOver = ''

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
    logger.info({ projection: name, kind, eventId, by, become }, 'a parked event was seen to')
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
    // One that has begun goes on, also in another process.
    if (await wishes.begin(wish)) isToBeDropped = !wish.goesOn
    if (isToBeDropped) await drop()
    isToBeDropped = false
    passedOver = idsOf(skipped)
    hurrying = new AbortController()
    const throttle = createThrottle(wish.coresMax ?? rebuildCoresDefault, hurrying.signal)
    const building = follower.startCopy(open(), skipped, throttle)
    const begun = followRebuild({ wish, wishes, building, store, logger })
    rebuild = begun
    begun.whenBuilt.then(
      () => {
        isBuilt = rebuild === begun
      },
      () => undefined, // its progress says why
    )
    logger.info({ projection: name, by: wish.by }, 'building the read model again')
  }

  const takeItsPlace = async (built: Rebuild, { swap }: Scratch) => {
    await follower.hold('swap')
    try {
      const position = follower.position()
      if (position) await built.reaches(position)
      await endRebuild()
      await swap()
      await wishes.remove(built.wish)
      logger.info({ projection: name }, 'the read model that was built again serves')
    } finally {
      follower.go('swap')
    }
  }

  const seeToRebuild = async (wish: Wish | undefined, scratch: Scratch) => {
    const isOurs = follower.writer() !== undefined || follower.hasEnded()
    const skipped = wish && isOurs ? await follower.skipped() : []
    const isAsWished = rebuild?.wish.at.getTime() === wish?.at.getTime() && passedOver === idsOf(skipped)
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

  /** One at a time; a wish that could not be seen to stays. */
  let looking = Promise.resolve()
  const inTurn = (work: () => Promise<void>) => {
    looking = looking.then(work).catch((error: unknown) => {
      if (!ending.signal.aborted) logger.warn({ projection: name, err: error }, "operators' wishes were not seen to")
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
