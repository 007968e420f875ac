// Keeps a read model in step with the event store: from its checkpoint to the live end, then on.
import { setTimeout as sleep } from 'node:timers/promises'
import type { DomainEvent } from '@headwater/deciders/decider'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { type EventStore, StoreUnavailable } from '@headwater/eventstore/client'
import type { Codec, RecordedEvent, StoredEvent } from '@headwater/eventstore/codec'
import { beginning, comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import { type Batch, type Subscription, startSubscription } from '@headwater/eventstore/subscription'
import type { Logger } from 'pino'
import { watchNeeded } from './needed.ts'
import type { ReadModel, Row, TableOf } from './read-model.ts'
import type { Rows } from './rows.ts'
import { type Checkpoint, Halt, type Sink } from './sink.ts'
import { assertOrder, BadEvent, stepOver } from './step.ts'

const outageBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }
/** A writer whose checkpoint stands still so long while events lie ahead is taken to be gone. */
const takeOverAfterMs = 3_000
const standByPollMs = 250

/** From events to rows. Projections commute across streams: only the order within a stream counts. */
export type Projection<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = ReadModel & {
  readonly tables: { readonly [Name in keyof Tables]: TableOf<Tables[Name]> }
  readonly categories: readonly string[]
  readonly codec: Codec<Event>
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => { readonly [Name in keyof Tables]?: readonly string[] }
  /** Evolves rows by an event; no I/O, no clock, no chance. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOf<Tables>) => void
}

/** The rows an event concerns, by table. */
export type RowsOf<Tables extends Readonly<Record<string, Row>>> = {
  readonly [Name in keyof Tables]: Rows<Tables[Name]>
}

export type ProjectionStatus = {
  readonly state: 'starting' | 'catching up' | 'live' | 'standing by' | 'stopped'
  readonly position: Position
  /** What is wrong, and what to do about it. */
  readonly reason: string | undefined
  /** The event that stopped the projection. */
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'> | undefined
  /** How often the subscription had to be opened again. */
  readonly restarts: number
  readonly rebuildNeeded: boolean
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

/** The read model was made from another history than the store's; only building it again helps. */
class RebuildNeeded extends Halt {
  override readonly name = 'RebuildNeeded'
}

/** Another writer has moved the checkpoint. */
class Superseded extends Halt {
  override readonly name = 'Superseded'
}

export const startProjection = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>({
  store,
  sink,
  projection,
  logger,
}: {
  readonly store: EventStore
  readonly sink: Sink
  readonly projection: Projection<Event, Tables>
  readonly logger: Logger
}): RunningProjection => {
  const { name, categories } = projection
  const ending = new AbortController()
  const live = Promise.withResolvers<void>()
  live.promise.catch(() => undefined) // whoever cares calls whenLive
  let phase: 'starting' | 'following' | 'standing by' | 'stopped' = 'starting'
  let checkpoint: Checkpoint | undefined
  let subscription: Subscription | undefined
  let earlierRestarts = 0
  let outage: string | undefined
  let failure: Error | undefined

  sink.tellNeeded?.(watchNeeded(store, categories, () => checkpoint?.position ?? beginning))

  const rebuildNeeded = (why: string) =>
    new RebuildNeeded(`${why} The read model ${name} has to be built again: ${sink.rebuildAdvice}.`)

  /** Tries for ever while a store is in trouble; other errors, and the end, get out. */
  const persistently = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let failures = 1; ; failures++) {
      try {
        const result = await work()
        outage = undefined
        return result
      } catch (error) {
        if (error instanceof Halt || ending.signal.aborted) throw error
        const blame = error instanceof StoreUnavailable ? 'unavailable' : sink.blame(error)
        if (blame === 'broken') throw rebuildNeeded(`${error}.`)
        if (blame !== 'unavailable') throw error
        outage = String(error)
        logger.warn({ projection: name, err: error, failures }, 'a store is unavailable; trying again')
        await waitAfter(failures, outageBackoff, ending.signal)
      }
    }
  }

  const write = async (from: Checkpoint, batch: Batch): Promise<Checkpoint> => {
    const step = stepOver(projection, from, batch)
    checkpoint = await persistently(async () => {
      if ((await sink.commit(step)) === 'committed') return step.to
      const stored = await sink.checkpoint()
      // The answer to an earlier try was lost, not the commit.
      if (stored.epoch === from.epoch && comparePosition(stored.position, step.to.position) === 0) return step.to
      throw new Superseded(`Another writer has moved ${name} to ${formatPosition(stored.position)}.`)
    })
    return checkpoint
  }

  /** Takes in what the checkpoint does not hold yet. A bad event ends it, with all before that event committed. */
  const takeIn = async (from: Checkpoint, { events, position }: Batch): Promise<Checkpoint> => {
    if (comparePosition(position, from.position) <= 0) return from
    const unseen = events.filter((event) => comparePosition(event.position, from.position) > 0)
    assertOrder(from, { events: unseen, position })
    try {
      return await write(from, { events: unseen, position })
    } catch (error) {
      const [event, ...more] = unseen
      if (!event || !(error instanceof BadEvent || sink.blame(error) === 'refused')) throw error
      if (more.length === 0) throw error instanceof BadEvent ? error : new BadEvent(event, error)
    }
    let reached = from
    for (const event of unseen) reached = await takeIn(reached, { events: [event], position: event.position })
    return takeIn(reached, { events: [], position })
  }

  /** A checkpoint is only good for the history that it was reached in: not after a restore or with a foreign store. */
  const verify = async ({ storeId, position, lastEvent }: Checkpoint): Promise<void> => {
    if (storeId !== (await store.storeId())) throw rebuildNeeded('This is another event store.')
    if (comparePosition(position, await store.head()) > 0)
      throw rebuildNeeded(`The event store ends before the checkpoint ${formatPosition(position)}.`)
    if (lastEvent && (await store.eventAt(lastEvent.position))?.id !== lastEvent.id)
      throw rebuildNeeded(`The event store has another event than ${lastEvent.id} at the checkpoint.`)
  }

  const claim = async (): Promise<Checkpoint | undefined> => sink.claim(await store.storeId())

  /** Waits until the writer is gone, then claims. */
  const standBy = async (): Promise<Checkpoint> => {
    phase = 'standing by'
    let seen: Position | undefined
    let seenAt = 0
    const hasStalled = async (): Promise<boolean> => {
      const { position } = await sink.checkpoint()
      if (!seen || comparePosition(position, seen) !== 0) {
        seen = position
        seenAt = performance.now()
      }
      return (
        performance.now() - seenAt >= takeOverAfterMs && (await store.eventAfter(categories, position)) !== undefined
      )
    }
    for (;;) {
      await sleep(standByPollMs, undefined, { signal: ending.signal })
      const claimed = await persistently(async () =>
        sink.claimsExpire || (await hasStalled()) ? await claim() : undefined,
      )
      if (claimed) return claimed
    }
  }

  const follow = async (claimed: Checkpoint): Promise<void> => {
    await persistently(() => verify(claimed))
    checkpoint = claimed
    const following = startSubscription({
      store,
      name,
      categories,
      from: claimed.position,
      logger,
      reconnected: () => persistently(() => verify(checkpoint ?? claimed)),
      handle: async (batch) => void (await takeIn(checkpoint ?? claimed, batch)),
    })
    subscription = following
    phase = 'following'
    following.whenCaughtUp().then(live.resolve, () => undefined)
    try {
      await following.stopped
    } finally {
      earlierRestarts += following.stats().reconnects
      subscription = undefined
    }
  }

  const run = async (): Promise<void> => {
    let claimed = await persistently(claim)
    while (!ending.signal.aborted) {
      try {
        await follow(claimed ?? (await standBy()))
      } catch (error) {
        if (!(error instanceof Superseded)) throw error
        logger.warn({ projection: name, err: error }, 'standing by')
        claimed = undefined
      }
    }
  }

  const ended = run()
    .catch((error: Error) => {
      if (ending.signal.aborted) return
      failure = error
      logger.error({ projection: name, err: error }, 'projection stopped')
    })
    .finally(() => {
      phase = 'stopped'
      live.reject(failure ?? new Error(`The projection ${name} was stopped.`))
      return sink.close() // gives the claim back: whoever comes next need not wait for it to run out
    })

  const stateOf = (): ProjectionStatus['state'] => {
    if (phase !== 'following') return phase
    return subscription?.stats().caughtUp ? 'live' : 'catching up'
  }

  return {
    status: () => ({
      state: stateOf(),
      position: checkpoint?.position ?? beginning,
      reason: failure?.message ?? outage,
      event: failure instanceof BadEvent ? failure.event : undefined,
      restarts: earlierRestarts + (subscription?.stats().reconnects ?? 0),
      rebuildNeeded: failure instanceof RebuildNeeded,
    }),
    lagMs: async () => {
      const next = await store.eventAfter(categories, checkpoint?.position ?? beginning)
      return next ? Math.max(0, Date.now() - next.recordedAt.getTime()) : 0
    },
    whenLive: () => live.promise,
    stop: async () => {
      ending.abort()
      await subscription?.stop()
      await ended
    },
  }
}
