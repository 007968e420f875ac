// Runs a projection: projects events from its checkpoint to the head of the store, then live.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import { type Subscription, startSubscription } from '@headwater/eventstore/client/subscription'
import { beginning } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import { watchNeeded } from '../freshness/needed.ts'
import { RebuildNeeded, Superseded } from '../model/halt.ts'
import { isWaiting, type ParkedEvent } from '../model/parked.ts'
import type { Projection } from '../model/projection.ts'
import type { Row } from '../model/read-model.ts'
import type { Checkpoint, Sink } from '../model/sink.ts'
import { BadEvent } from '../model/step.ts'
import { type Attended, attend } from '../operate/attend.ts'
import { createPersistence } from './persistence.ts'
import type { ProjectionStatus, RunningProjection } from './running-projection.ts'
import { otherHistory } from './same-history.ts'
import { standBy } from './stand-by.ts'
import { openWriter, type Writer } from './writer.ts'

/** Interval to check whether another process has rebuilt the unusable read model. */
const lookAgainMs = 5_000

export type ProjectionOptions<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = {
  readonly store: EventStore
  readonly sink: Sink
  readonly projection: Projection<Event, Tables>
  /** Events that operators have skipped. */
  readonly skipped?: readonly ParkedEvent[]
  /** Awaited after every batch. */
  readonly afterBatch?: () => Promise<void>
  readonly logger: Logger
}

export const startProjection = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>({
  store,
  sink,
  projection,
  skipped = [],
  afterBatch = async () => undefined,
  logger,
}: ProjectionOptions<Event, Tables>): RunningProjection => {
  const { name, categories } = projection
  const ending = new AbortController()
  const { signal } = ending
  const live = Promise.withResolvers<void>()
  live.promise.catch(() => undefined) // callers of whenLive see the error
  let phase: 'starting' | 'following' | 'standing by' | 'stopped' = 'starting'
  let writer: Writer | undefined
  let subscription: Subscription | undefined
  let earlierRestarts = 0
  let handled = 0
  let failure: Error | undefined
  const { persistently, outage, rebuildNeeded } = createPersistence(name, sink, signal, logger)
  const position = () => writer?.checkpoint().position ?? beginning

  /** False until the checkpoint is known to belong to this store's history: a position of another history is meaningless. */
  let isSameHistory = false
  const needed = watchNeeded(store, categories, position)
  sink.tellNeeded?.(async () => {
    if (!isSameHistory) throw new Error('The rows are not known to be of this event store.')
    return needed()
  })

  /** Reasons not to write now, each resolved when it ends. */
  const holds = new Map<string, PromiseWithResolvers<void>>()
  const hold = (why: string) => holds.set(why, holds.get(why) ?? Promise.withResolvers())
  const go = (why: string) => {
    holds.get(why)?.resolve()
    holds.delete(why)
  }

  const verify = async (checkpoint: Checkpoint): Promise<void> => {
    isSameHistory = false
    const why = await otherHistory(store, checkpoint)
    if (why) throw rebuildNeeded(why)
    isSameHistory = true
  }
  const claim = async (): Promise<Checkpoint | undefined> => sink.claim(await store.storeId())

  const waitForTurn = (): Promise<Checkpoint> => {
    phase = 'standing by'
    failure = undefined
    return standBy({ store, sink, categories, claim, persistently, signal })
  }

  const follow = async (claimed: Checkpoint): Promise<void> => {
    await persistently(() => verify(claimed))
    await attending?.look() // it may be paused
    if (holds.size > 0) return
    const writing = await openWriter({ store, sink, projection, claimed, skipped, persistently, signal, logger })
    if (signal.aborted || holds.size > 0) return
    writer = writing
    failure = undefined
    phase = 'following'
    // First: an operator may have skipped the event at which it stopped, which arrives again.
    await attending?.lookAtParked()
    if (signal.aborted || holds.size > 0) return
    const following = startSubscription({
      store,
      name,
      categories,
      from: claimed.position,
      logger,
      reconnected: () => persistently(() => verify(writing.checkpoint())),
      handle: async (batch) => {
        await writing.applyBatch(batch)
        handled += batch.events.length
        await afterBatch()
      },
    })
    subscription = following
    following.whenCaughtUp().then(live.resolve, () => undefined)
    try {
      await following.stopped
    } finally {
      earlierRestarts += following.stats().reconnects
      subscription = undefined
    }
  }

  /** Stops until the read model has been rebuilt, here or in another process, or an operator has skipped the event. */
  const halt = async (error: Error): Promise<void> => {
    if (failure?.message !== error.message) logger.error({ projection: name, err: error }, 'projection stopped')
    failure = error
    phase = 'stopped'
    live.reject(error)
    await sink.release()
    hold('halt')
    if (error instanceof RebuildNeeded || sink.claimsExpire) setTimeout(() => go('halt'), lookAgainMs).unref()
  }

  const run = async (): Promise<void> => {
    let isSuperseded = false
    for (;;) {
      while (holds.size > 0 && !signal.aborted) await Promise.all([...holds.values()].map(({ promise }) => promise))
      if (signal.aborted) return
      try {
        const claimed = isSuperseded ? undefined : await persistently(claim)
        isSuperseded = false
        // The claim came back to this process, so its own failure still stands.
        if (claimed && failure && !(failure instanceof RebuildNeeded)) await halt(failure)
        else await follow(claimed ?? (await waitForTurn()))
      } catch (error) {
        if (signal.aborted) return
        isSuperseded = error instanceof Superseded
        if (isSuperseded) logger.warn({ projection: name, err: error }, 'standing by')
        else await halt(error as Error)
      }
    }
  }

  /** A damaged read model has none. */
  const storedParked = () =>
    sink.parked().catch((error) => (sink.blame(error) === 'broken' ? [] : Promise.reject(error)))

  const attended: Attended = {
    writer: () => (phase === 'following' && holds.size === 0 ? writer : undefined),
    hasEnded: () => phase === 'stopped' && !signal.aborted,
    stoppedAt: () => (holds.has('halt') && failure instanceof BadEvent ? failure.event.id : undefined),
    beginAgain: () => {
      failure = undefined
      go('halt')
    },
    hold: async (why) => {
      hold(why)
      await subscription?.stop()
    },
    go: (why) => {
      if (why === 'swap') {
        failure = undefined
        go('halt')
      }
      go(why)
    },
    position: () => (failure ? undefined : writer?.checkpoint().position),
    skipped: async () => (attended.writer()?.parked() ?? (await storedParked())).filter((one) => !isWaiting(one)),
    startCopy: (copy, skipped, afterBatch) =>
      startProjection({ store, sink: copy, projection, skipped, afterBatch, logger }),
  }
  const { wishes, scratch } = sink
  const attending = wishes && attend({ name, wishes, scratch, store, follower: attended, logger })

  const ended = run().finally(async () => {
    phase = 'stopped'
    live.reject(new Error(`The projection ${name} was stopped.`))
    await attending?.stop()
    await sink.close() // gives the claim back: the next writer need not wait for it to expire
  })

  const stateOf = (): ProjectionStatus['state'] => {
    if (phase !== 'following') return phase
    if (attending?.paused()) return 'paused'
    return subscription?.stats().caughtUp ? 'live' : 'catching up'
  }
  const pausedBy = () => {
    const wish = attending?.paused()
    return wish && `Paused by ${wish.by} since ${wish.at.toISOString()}.`
  }

  return {
    status: () => ({
      state: stateOf(),
      position: position(),
      reason: failure?.message ?? outage() ?? pausedBy(),
      event: failure instanceof BadEvent ? failure.event : undefined,
      restarts: earlierRestarts + (subscription?.stats().reconnects ?? 0),
      rebuildNeeded: failure instanceof RebuildNeeded,
      parked: (phase === 'following' && writer?.parked().filter(isWaiting)) || [],
      handled,
    }),
    lagMs: async () => {
      const next = await store.eventAfter(categories, position())
      return next ? Math.max(0, Date.now() - next.recordedAt.getTime()) : 0
    },
    whenLive: () => live.promise,
    stop: async () => {
      ending.abort()
      for (const why of [...holds.keys()]) go(why)
      await subscription?.stop()
      await ended
    },
  }
}
