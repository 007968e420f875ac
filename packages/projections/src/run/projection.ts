// Keeps a read model in step with the event store: from its checkpoint to the live end, then on.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStore } from '@headwater/eventstore/client/client'
import { type Subscription, startSubscription } from '@headwater/eventstore/client/subscription'
import type { Codec, RecordedEvent, StoredEvent } from '@headwater/eventstore/codec'
import { beginning, type Position } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import { watchNeeded } from '../freshness/needed.ts'
import { RebuildNeeded, Superseded } from '../model/halt.ts'
import { isWaiting, type ParkedEvent } from '../model/parked.ts'
import type { ReadModel, Row, TableOf } from '../model/read-model.ts'
import type { Rows } from '../model/rows.ts'
import type { Checkpoint, Sink } from '../model/sink.ts'
import { BadEvent } from '../model/step.ts'
import { type Attended, attend } from '../operate/attend.ts'
import { createPersistence } from './persistence.ts'
import { otherHistory } from './same-history.ts'
import { standBy } from './stand-by.ts'
import { openWriter, type Writer } from './writer.ts'

/** Somebody else may have built again what this one cannot use. */
const lookAgainMs = 5_000

/** A table whose rows belong to streams: a row goes when its stream is deleted. */
type OwnedTable<Tables extends Readonly<Record<string, Row>>, Name extends keyof Tables> = {
  /** The indexed column that holds the id of the stream. */
  readonly column: keyof Tables[Name] & string
  /** Rows of other tables that count a row, and how to subtract it. */
  readonly counted?: {
    readonly keys: (row: Tables[Name]) => KeysOf<Tables>
    readonly subtract: (row: Tables[Name], rows: RowsOf<Tables>) => void
  }
}

type KeysOf<Tables> = { readonly [Name in keyof Tables]?: readonly string[] }

/** From events to rows. Projections commute across streams: only the order within a stream counts. */
export type Projection<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = ReadModel & {
  readonly tables: { readonly [Name in keyof Tables]: TableOf<Tables[Name]> }
  readonly categories: readonly string[]
  /** What waits behind an event that cannot be projected: its stream or, where many share streams, nothing. */
  readonly parks?: 'stream' | 'event'
  /** With more bad events than this the events are not the cause: the projection stops. */
  readonly parkedMax?: number
  readonly codec: Pick<Codec<Event>, 'decode'>
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => KeysOf<Tables>
  /** Evolves rows by an event; no I/O, no clock, no chance. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOf<Tables>) => void
  /** Rows of other tables stay when their stream is deleted. */
  readonly owned?: { readonly [Name in keyof Tables]?: OwnedTable<Tables, Name> }
  /** Whether the end of a deleted stream is one more event, which the codec decodes. Other types of the store's own never are. */
  readonly projectsDeletion?: boolean
}

/** The rows an event concerns, by table. */
export type RowsOf<Tables extends Readonly<Record<string, Row>>> = {
  readonly [Name in keyof Tables]: Rows<Tables[Name]>
}

export type ProjectionStatus = {
  readonly state: 'starting' | 'catching up' | 'live' | 'standing by' | 'paused' | 'stopped'
  readonly position: Position
  /** What is wrong, and what to do about it. */
  readonly reason: string | undefined
  /** The event at which the projection has stopped. */
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'> | undefined
  /** How often the subscription had to be opened again. */
  readonly restarts: number
  readonly rebuildNeeded: boolean
  /** Events that could not be projected and wait for an operator, dead letters among them. */
  readonly parked: readonly ParkedEvent[]
  /** So many events this process has taken in or parked. */
  readonly handled: number
}

export type RunningProjection = {
  readonly status: () => ProjectionStatus
  /** Age of the oldest event not yet in the read model, 0 when all are. Asks the store, not the subscription. */
  readonly lagMs: () => Promise<number>
  /** Resolves at the first catch-up; rejects when the projection stops before. */
  readonly whenLive: () => Promise<void>
  /** Finishes the batch in hand and closes the sink. */
  readonly stop: () => Promise<void>
}

export type ProjectionOptions<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = {
  readonly store: EventStore
  readonly sink: Sink
  readonly projection: Projection<Event, Tables>
  /** Events that operators have decided to go on without. */
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
  live.promise.catch(() => undefined) // whoever cares calls whenLive
  let phase: 'starting' | 'following' | 'standing by' | 'stopped' = 'starting'
  let writer: Writer | undefined
  let subscription: Subscription | undefined
  let earlierRestarts = 0
  let handled = 0
  let failure: Error | undefined
  const { persistently, outage, rebuildNeeded } = createPersistence(name, sink, signal, logger)
  const position = () => writer?.checkpoint().position ?? beginning

  /** False until the checkpoint is known to belong to this store's history. A position of another history means nothing. */
  let isSameHistory = false
  const needed = watchNeeded(store, categories, position)
  sink.tellNeeded?.(async () => {
    if (!isSameHistory) throw new Error('The rows are not known to be of this event store.')
    return needed()
  })

  /** Why nothing is to be written now, each with what ends the waiting. */
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
    // Before the event that stopped it arrives again: an operator may have skipped it.
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
        await writing.takeIn(batch)
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

  /** It cannot go on. Only building the read model again, here or elsewhere, changes that. */
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
        // Nobody has taken over what this one cannot do.
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

  /** What is damaged holds none. */
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
    await sink.close() // gives the claim back: whoever comes next need not wait for it to run out
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
