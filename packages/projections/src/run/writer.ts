// Applies batches to a read model, parks events that cannot be projected, and records those that cannot be parked as dead letters.
import type { DomainEvent } from '@headwater/deciders/decider'
import { type Backoff, waitAfter } from '@headwater/eventstore/backoff'
import { type EventStore, StoreUnavailable, StreamDeleted } from '@headwater/eventstore/client/client'
import type { Batch } from '@headwater/eventstore/client/subscription'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition, type Position } from '@headwater/eventstore/position'
import type { Logger } from 'pino'
import { pageEvents, waitingReader } from '../freshness/read-waiting.ts'
import { Halt, Superseded } from '../model/halt.ts'
import {
  asDeadLetter,
  asParked,
  deadLettersText,
  inOrder,
  isWaiting,
  type ParkedEvent,
  type Parking,
  parkedFromLetter,
  type Skip,
  withDeadLetters,
} from '../model/parked.ts'
import type { Projection } from '../model/projection.ts'
import type { Row } from '../model/read-model.ts'
import { isDeletion, TooManyRows } from '../model/removal.ts'
import type { Checkpoint, Sink } from '../model/sink.ts'
import { assertOrder, BadEvent, stepOver } from '../model/step.ts'
import type { Persistence } from './persistence.ts'

/** Attempts on a single event before it is parked. */
const triesMax = 3
const triesBackoff: Backoff = { delayMsMin: 20, delayMsMax: 200 }
/** The projection stops at more parked events than this: the cause is not the events. */
const parkedMaxDefault = 1_000

type Retried = 'projected' | 'parked again' | 'not parked'

export type Writer = {
  readonly checkpoint: () => Checkpoint
  /** The longest waiting first, skipped ones included. */
  readonly parked: () => readonly ParkedEvent[]
  /** Applies the events after the checkpoint. */
  readonly applyBatch: (batch: Batch) => Promise<void>
  /** Projects a parked event and all events that wait behind it. */
  readonly retry: (eventId: string) => Promise<Retried>
  /** Projects the events behind a parked event, without it. */
  readonly skip: (eventId: string, skip: Skip) => Promise<Retried>
}

const queuedBehindRetry = 'It waits behind events that are being tried again.'

const ifDeleted = (error: unknown) => (error instanceof StreamDeleted ? ('deleted' as const) : Promise.reject(error))

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
  readonly store: Pick<EventStore, 'eventAt' | 'readStream'>
  readonly sink: Sink
  readonly projection: Projection<Event, Tables>
  readonly claimed: Checkpoint
  /** Events to skip. */
  readonly skipped: readonly ParkedEvent[]
  readonly persistently: Persistence['persistently']
  readonly signal: AbortSignal
  readonly logger: Logger
}): Promise<Writer> => {
  const { name, parks = 'stream', parkedMax = parkedMaxDefault } = projection
  let checkpoint = claimed
  const parked = new Map((await persistently(sink.parked)).map((one) => [one.event.id, one]))
  const waiting = () => [...parked.values()].filter(isWaiting)
  /** Cached, because it is read for every event. */
  let parkedStreams = new Set<string>()
  const noteParked = () => {
    const behind = parks === 'stream' ? waiting().filter(({ stops }) => !stops) : []
    parkedStreams = new Set(behind.map(({ event }) => event.stream))
  }
  /** An event that stopped the projection is tried again when it arrives. */
  const isParked = (event: StoredEvent) => {
    const one = parked.get(event.id)
    // A deletion removes the rows of its stream, parked or not.
    const isBehind = parkedStreams.has(event.stream) && !isDeletion(event)
    return isBehind || (one !== undefined && !(one.stops && isWaiting(one)))
  }

  const readWaiting = waitingReader({
    read: (stream, from, count) => persistently(() => store.readStream(stream, from, count).catch(ifDeleted)),
    parks,
    until: () => checkpoint.position,
    isSkipped: (id) => parked.get(id)?.skipped !== undefined,
  })

  /** Steps of operator requests and of the subscription, one at a time. */
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  /** Unparks the events of deleted streams, and the event at which the projection stopped once it is projected. */
  const unparkedBy = ({ events }: Batch): Parking | undefined => {
    const isOver = ({ event, stops }: ParkedEvent) =>
      events.some((one) => (stops && one.id === event.id) || (one.stream === event.stream && isDeletion(one)))
    const removed = [...parked.values()].filter(isOver).map(({ event }) => event.id)
    return removed.length > 0 ? { put: [], removed } : undefined
  }

  const write = async (batch: Batch, parking = unparkedBy(batch)): Promise<void> => {
    const from = checkpoint
    const step = { ...stepOver(projection, from, batch), parking }
    const { to } = parking ? Object.assign(step, withDeadLetters(step, parking)) : step
    checkpoint = await persistently(async () => {
      if ((await sink.commit(step)) === 'committed') return to
      // An earlier attempt may have committed without an answer.
      const stored = await sink.checkpoint()
      const isThere =
        stored.epoch === from.epoch &&
        comparePosition(stored.position, to.position) === 0 &&
        deadLettersText(stored.deadLetters) === deadLettersText(to.deadLetters)
      const listed = step.parking && new Set((await sink.parked()).map(({ event }) => event.id))
      if (isThere && !step.parking?.removed.some((id) => listed?.has(id))) return to
      throw new Superseded(`Another writer has moved ${name} to ${formatPosition(stored.position)}.`)
    })
    if (!parking) return
    for (const id of parking.removed) parked.delete(id)
    for (const one of parking.put) parked.set(one.event.id, one)
    noteParked()
  }

  /** True for every error but outages and those that end the writer: one event must not block the others. */
  const isOfEvents = (error: unknown): boolean => {
    if (error instanceof BadEvent || error instanceof TooManyRows) return true
    if (error instanceof Halt || error instanceof StoreUnavailable || signal.aborted) return false
    return ['refused', undefined].includes(sink.blame(error))
  }
  const ifNotOfEvents = (error: unknown): void => {
    if (!isOfEvents(error)) throw error
  }

  /** Lists an event, or keeps it beside the checkpoint where the list refuses it, and moves to a position. */
  const setAside = async (one: ParkedEvent, position: Position): Promise<void> => {
    try {
      return await write({ events: [], position }, { put: [one], removed: [] })
    } catch (error) {
      ifNotOfEvents(error)
      const deadLetter = asDeadLetter(one, checkpoint.deadLetters)
      await write({ events: [], position }, { put: [], removed: [], deadLetter })
      parked.set(one.event.id, { ...one, deadLetter: deadLetter.number })
      noteParked()
      logger.error(
        { projection: name, err: error, deadLetter },
        'an event cannot be parked either: it is a dead letter',
      )
    }
  }

  /** No later event is projected until this one is, or an operator skips it. */
  const stopAt = async (error: BadEvent): Promise<never> => {
    const one = { ...asParked(error.event, error.why, triesMax), stops: true }
    await setAside(one, checkpoint.position).catch((unlisted: unknown) => {
      ifNotOfEvents(unlisted)
      logger.error({ projection: name, err: unlisted }, 'the event at which the projection stops cannot be listed')
    })
    throw error
  }

  const park = async (event: StoredEvent, cause: unknown): Promise<void> => {
    const error = cause instanceof BadEvent ? cause : new BadEvent(event, cause)
    if (waiting().filter(({ stops }) => !stops).length >= parkedMax)
      return stopAt(new BadEvent(event, `${parkedMax} are parked already. ${error.why}`))
    logger.error({ projection: name, err: error, parks }, 'an event cannot be projected: it is parked')
    try {
      await setAside(asParked(event, error.why, triesMax), event.position)
    } catch (refused) {
      ifNotOfEvents(refused)
      await stopAt(error)
    }
  }

  const applyAlone = async (event: StoredEvent): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        return await write({ events: [event], position: event.position })
      } catch (error) {
        ifNotOfEvents(error)
        if (tries === triesMax) return park(event, error)
        await waitAfter(tries, triesBackoff, signal)
      }
    }
  }

  const applyBatch = async ({ events, position }: Batch): Promise<void> => {
    if (comparePosition(position, checkpoint.position) <= 0) return
    const unseen = events.filter((event) => comparePosition(event.position, checkpoint.position) > 0)
    const concerned = unseen.filter((event) => !isParked(event))
    try {
      assertOrder(checkpoint, { events: concerned, position })
    } catch (error) {
      throw error instanceof BadEvent ? await stopAt(error) : error
    }
    try {
      return await write({ events: concerned, position })
    } catch (error) {
      ifNotOfEvents(error)
    }
    for (const event of concerned) if (!isParked(event)) await applyAlone(event)
    if (comparePosition(position, checkpoint.position) > 0) await write({ events: [], position })
  }

  /** Projects a stream from its parked event on. */
  const advance = async (from: ParkedEvent): Promise<Retried> => {
    /** Removing it from the list makes a step happen only once: the checkpoint does not move. */
    let first = from
    const stepTo = async (events: readonly StoredEvent[], next: StoredEvent | undefined) => {
      const put = next ? [asParked(next, queuedBehindRetry, 0, from.parkedAt)] : []
      await write({ events, position: checkpoint.position }, { put, removed: [first.event.id] })
      first = put[0] ?? first
      return next === undefined
    }
    for (;;) {
      const page = await readWaiting(first.event, first.event.revision)
      try {
        if (await stepTo(page.slice(0, pageEvents), page[pageEvents])) return 'projected'
        continue
      } catch (error) {
        ifNotOfEvents(error)
      }
      for (const [n, event] of page.slice(0, pageEvents).entries())
        try {
          if (await stepTo([event], page[n + 1])) return 'projected'
        } catch (error) {
          ifNotOfEvents(error)
          const { why } = error instanceof BadEvent ? error : new BadEvent(event, error)
          const again = asParked(event, why, first.tries + 1, from.parkedAt)
          // Refused: the entry stays as it is.
          await write({ events: [], position: checkpoint.position }, { put: [again], removed: [] }).catch(ifNotOfEvents)
          return 'parked again'
        }
    }
  }

  const waitingFor = (eventId: string): ParkedEvent | undefined => {
    const found = parked.get(eventId)
    return found && isWaiting(found) ? found : undefined
  }

  const skipEvent = async (one: ParkedEvent, skipped: Skip): Promise<Retried> => {
    const [next] = await readWaiting(one.event, one.event.revision + 1n)
    const behind = next && asParked(next, queuedBehindRetry, 0, one.parkedAt)
    const put = [{ ...one, skipped, stops: undefined }, ...(behind ? [behind] : [])]
    await write({ events: [], position: checkpoint.position }, { put, removed: [] })
    return behind ? advance(behind) : 'projected'
  }

  const isInRows = ({ event }: ParkedEvent): boolean =>
    comparePosition(event.position, checkpoint.position) <= 0 &&
    !waiting().some((one) => one.event.stream === event.stream && one.event.revision < event.revision)

  for (const letter of checkpoint.deadLetters) {
    const event = await persistently(() => store.eventAt(letter.position))
    if (event?.id === letter.eventId) parked.set(event.id, parkedFromLetter(letter, event))
    // The store no longer has it: a rebuild would not have it either.
    else await write({ events: [], position: checkpoint.position }, { put: [], removed: [letter.eventId] })
  }
  noteParked()
  const unknown = skipped.filter((one) => !parked.has(one.event.id) && !isInRows(one))
  if (unknown.length > 0) await write({ events: [], position: checkpoint.position }, { put: unknown, removed: [] })
  for (const { event, skipped: skip } of inOrder(skipped)) {
    const found = waitingFor(event.id)
    if (found && skip) await inTurn(() => skipEvent(found, skip))
  }
  // This version may project events that the one before could not.
  for (const one of inOrder(waiting())) if (!one.stops) await inTurn(() => advance(one))

  return {
    checkpoint: () => checkpoint,
    parked: () => inOrder(parked.values()),
    applyBatch: (batch) => inTurn(() => applyBatch(batch)),
    retry: (eventId) =>
      inTurn(async () => {
        const one = waitingFor(eventId)
        return one ? advance(one) : 'not parked'
      }),
    skip: (eventId, skipped) =>
      inTurn(async () => {
        const one = waitingFor(eventId)
        return one ? skipEvent(one, skipped) : 'not parked'
      }),
  }
}
