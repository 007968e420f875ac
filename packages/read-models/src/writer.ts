// Takes batches into a read model; parks the streams of events that cannot be taken in, and takes them in later.
import type { DomainEvent } from '@headwater/deciders/decider'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import type { EventStore } from '@headwater/eventstore/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition } from '@headwater/eventstore/position'
import type { Batch } from '@headwater/eventstore/subscription'
import type { Logger } from 'pino'
import { Superseded } from './halt.ts'
import { inOrder, isWaiting, type ParkedEvent, type Parking, type Skip } from './parked.ts'
import type { Persistence } from './persistence.ts'
import type { Projection } from './projection.ts'
import type { Row } from './read-model.ts'
import type { Checkpoint, Sink } from './sink.ts'
import { assertOrder, BadEvent, stepOver } from './step.ts'

/** So often an event is tried alone before its stream is parked. */
const triesMax = 3
const triesBackoff: Backoff = { delayMsMin: 20, delayMsMax: 200 }
/** Where more are bad it is not the events: the projection stops. */
export const parkedStreamsMax = 1_000
const pageEvents = 500

/** `not parked`: there was nothing to do. */
export type Retried = 'taken in' | 'parked again' | 'not parked'

export type Writer = {
  readonly checkpoint: () => Checkpoint
  /** The longest waiting first, skipped ones included. */
  readonly parked: () => readonly ParkedEvent[]
  /** Takes in what the checkpoint does not hold yet. */
  readonly takeIn: (batch: Batch) => Promise<void>
  /** Tries a parked event again, and with it all that waits behind it. */
  readonly retry: (eventId: string) => Promise<Retried>
  /** Goes on without an event. */
  readonly skip: (eventId: string, skip: Skip) => Promise<Retried>
}

const waitsToBeTried = 'It waits behind events that are being tried again.'

export const openWriter = async <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>({
  store,
  sink,
  projection,
  claimed,
  skipped,
  persistently,
  signal,
  logger,
}: {
  readonly store: Pick<EventStore, 'readStream'>
  readonly sink: Sink
  readonly projection: Projection<Event, Tables>
  readonly claimed: Checkpoint
  /** Events to go on without. */
  readonly skipped: readonly ParkedEvent[]
  readonly persistently: Persistence['persistently']
  readonly signal: AbortSignal
  readonly logger: Logger
}): Promise<Writer> => {
  let checkpoint = claimed
  const parked = new Map((await persistently(sink.parked)).map((one) => [one.event.id, one]))
  const waiting = () => [...parked.values()].filter(isWaiting)
  /** Streams that wait and events that are passed over; looked at for every event. */
  let parkedStreams = new Set(waiting().map(({ event }) => event.stream))
  const isAside = ({ id, stream }: StoredEvent) => parkedStreams.has(stream) || parked.has(id)

  /** Steps of operators and of the subscription, one at a time. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  const write = async (batch: Batch, parking?: Parking): Promise<void> => {
    const from = checkpoint
    const step = { ...stepOver(projection, from, batch), parking }
    checkpoint = await persistently(async () => {
      if ((await sink.commit(step)) === 'committed') return step.to
      // The answer to an earlier try was lost, not the commit.
      const stored = await sink.checkpoint()
      const isThere = stored.epoch === from.epoch && comparePosition(stored.position, step.to.position) === 0
      const listed = parking && new Set((await sink.parked()).map(({ event }) => event.id))
      if (isThere && !parking?.removed.some((id) => listed?.has(id))) return step.to
      throw new Superseded(`Another writer has moved ${projection.name} to ${formatPosition(stored.position)}.`)
    })
    if (!parking) return
    for (const id of parking.removed) parked.delete(id)
    for (const one of parking.put) parked.set(one.event.id, one)
    parkedStreams = new Set(waiting().map(({ event }) => event.stream))
  }

  const isOfEvents = (error: unknown): boolean => error instanceof BadEvent || sink.blame(error) === 'refused'

  const asParked = (event: StoredEvent, error: string, tries: number, since = new Date()): ParkedEvent => {
    const { id, stream, type, revision, position } = event
    const at = new Date()
    return {
      event: { id, stream, type, revision, position },
      error,
      tries,
      parkedAt: since,
      triedAt: at,
      skipped: undefined,
    }
  }

  const park = async (event: StoredEvent, cause: unknown): Promise<void> => {
    const error = cause instanceof BadEvent ? cause : new BadEvent(event, cause)
    if (parkedStreams.size >= parkedStreamsMax) throw error
    logger.error({ projection: projection.name, err: error }, 'an event cannot be taken in; its stream is parked')
    await write({ events: [], position: event.position }, { put: [asParked(event, error.why, triesMax)], removed: [] })
  }

  const takeInAlone = async (event: StoredEvent): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        return await write({ events: [event], position: event.position })
      } catch (error) {
        if (!isOfEvents(error)) throw error
        if (tries === triesMax) return park(event, error)
        await waitAfter(tries, triesBackoff, signal)
      }
    }
  }

  const takeIn = async ({ events, position }: Batch): Promise<void> => {
    if (comparePosition(position, checkpoint.position) <= 0) return
    const unseen = events.filter((event) => comparePosition(event.position, checkpoint.position) > 0)
    assertOrder(checkpoint, { events: unseen, position })
    try {
      return await write({ events: unseen.filter((event) => !isAside(event)), position })
    } catch (error) {
      if (!isOfEvents(error)) throw error
    }
    for (const event of unseen) if (!isAside(event)) await takeInAlone(event)
    if (comparePosition(position, checkpoint.position) > 0) await write({ events: [], position })
  }

  /**
   * The events of a stream from a revision on that the checkpoint is beyond, but for those that are skipped; more than a
   * page when there are more than a page.
   */
  const readWaiting = async (stream: string, from: bigint): Promise<readonly StoredEvent[]> => {
    const found: StoredEvent[] = []
    for (let next = from; found.length <= pageEvents; ) {
      const start = next
      const page = await persistently(() => store.readStream(stream, start, pageEvents + 1))
      for (const [n, event] of page.entries()) {
        const before = page[n - 1]
        if (before && comparePosition(event.position, before.position) <= 0)
          throw new Error('The event store does not say where events stand in $all: parked streams need that.')
      }
      const waiting = page.filter(({ position }) => comparePosition(position, checkpoint.position) <= 0)
      found.push(...waiting.filter(({ id }) => parked.get(id)?.skipped === undefined))
      const last = waiting[pageEvents]
      if (!last) return found
      next = last.revision + 1n
    }
    return found
  }

  /** Takes in a stream from its parked event on. */
  const advance = async (from: ParkedEvent): Promise<Retried> => {
    /** Its removal from the list is what makes a step happen once: the checkpoint stays where it is. */
    let first = from
    const stepTo = async (events: readonly StoredEvent[], next: StoredEvent | undefined) => {
      const put = next ? [asParked(next, waitsToBeTried, 0, from.parkedAt)] : []
      await write({ events, position: checkpoint.position }, { put, removed: [first.event.id] })
      first = put[0] ?? first
      return next === undefined
    }
    for (;;) {
      const page = await readWaiting(from.event.stream, first.event.revision)
      try {
        if (await stepTo(page.slice(0, pageEvents), page[pageEvents])) return 'taken in'
        continue
      } catch (error) {
        if (!isOfEvents(error)) throw error
      }
      for (const [n, event] of page.slice(0, pageEvents).entries())
        try {
          if (await stepTo([event], page[n + 1])) return 'taken in'
        } catch (error) {
          if (!isOfEvents(error)) throw error
          const { why } = error instanceof BadEvent ? error : new BadEvent(event, error)
          const again = asParked(event, why, first.tries + 1, from.parkedAt)
          await write({ events: [], position: checkpoint.position }, { put: [again], removed: [] })
          return 'parked again'
        }
    }
  }

  const waitingFor = (eventId: string): ParkedEvent | undefined => {
    const found = parked.get(eventId)
    return found && isWaiting(found) ? found : undefined
  }

  const goOnWithout = async (one: ParkedEvent, skipped: Skip): Promise<Retried> => {
    const [next] = await readWaiting(one.event.stream, one.event.revision + 1n)
    const behind = next && asParked(next, waitsToBeTried, 0, one.parkedAt)
    const put = [{ ...one, skipped }, ...(behind ? [behind] : [])]
    await write({ events: [], position: checkpoint.position }, { put, removed: [] })
    return behind ? advance(behind) : 'taken in'
  }

  const unknown = skipped.filter(({ event }) => !parked.has(event.id))
  if (unknown.length > 0) await write({ events: [], position: checkpoint.position }, { put: unknown, removed: [] })
  // What is deployed now may be able to take in what the version before could not.
  for (const one of inOrder(waiting())) await inTurn(() => advance(one))

  return {
    checkpoint: () => checkpoint,
    parked: () => inOrder(parked.values()),
    takeIn: (batch) => inTurn(() => takeIn(batch)),
    retry: (eventId) =>
      inTurn(async () => {
        const one = waitingFor(eventId)
        return one ? advance(one) : 'not parked'
      }),
    skip: (eventId, skipped) =>
      inTurn(async () => {
        const one = waitingFor(eventId)
        return one ? goOnWithout(one, skipped) : 'not parked'
      }),
  }
}
