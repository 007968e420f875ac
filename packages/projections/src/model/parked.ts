// Parked events: an event that cannot be projected parks its stream, whose later events wait, or only itself.
import { createHash } from 'node:crypto'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition, type Position, parsePosition } from '@headwater/eventstore/position'
import { readableText } from './readable.ts'

/** An operator's decision to skip an event. */
export type Skip = { readonly reason: string; readonly by: string; readonly at: Date }

export type ParkedEvent = {
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'>
  /** Why it could not be projected. */
  readonly error: string
  /** Number of attempts on this event alone. */
  readonly tries: number
  readonly parkedAt: Date
  readonly triedAt: Date
  /** Its stream continues without it. It stays on the list, so that a rebuild skips it too. */
  readonly skipped: Skip | undefined
  /** No event of any stream behind it is projected. */
  readonly stops?: boolean | undefined
  /** Set when it could not even be parked. */
  readonly deadLetter?: number | undefined
}

/**
 * An event that could not even be parked. It is stored with the checkpoint: an event can be passed over as long as the
 * checkpoint can move, also when the list refuses its row.
 */
export type DeadLetter = {
  readonly number: number
  readonly eventId: string
  readonly position: Position
  readonly at: Date
  readonly stops?: boolean | undefined
}

/** An event at which a projection stopped is met again after every restart: it keeps its number. */
export const asDeadLetter = (
  { event: { id: eventId, position }, parkedAt: at, stops }: ParkedEvent,
  letters: readonly DeadLetter[],
): DeadLetter => {
  const known = letters.find((letter) => letter.eventId === eventId)
  const number = known?.number ?? 1 + Math.max(0, ...letters.map((letter) => letter.number))
  return { number, eventId, position, at, stops }
}

const noDeadLetters: readonly DeadLetter[] = []
const noDeadLettersText = '[]'

/** JSON. */
export const deadLettersText = (letters: readonly DeadLetter[]): string =>
  JSON.stringify(
    letters.map(({ number, eventId, position, at, stops }) => ({
      number,
      eventId,
      position: formatPosition(position),
      at,
      stops,
    })),
  )

export const deadLettersFromText = (text = noDeadLettersText): readonly DeadLetter[] =>
  text === noDeadLettersText
    ? noDeadLetters
    : JSON.parse(text).map(({ number, eventId, position, at, stops }: Record<keyof DeadLetter, never>): DeadLetter => {
        const place = parsePosition(position)
        if (!place) throw new Error(`A dead letter has no position: ${eventId}`)
        return { number, eventId, position: place, at: new Date(at), stops }
      })

/** @param event undefined when it has not been read from the event store */
export const parkedFromLetter = (
  { number, eventId, position, at, stops }: DeadLetter,
  event: ParkedEvent['event'] = { id: eventId, stream: unknownStream, type: 'unknown', revision: 0n, position },
): ParkedEvent => {
  const { id, stream, type, revision } = event
  return {
    event: { id, stream, type, revision, position },
    error: 'It could not be parked. The log of that moment says why.',
    tries: 0,
    parkedAt: at,
    triedAt: at,
    skipped: undefined,
    stops,
    deadLetter: number,
  }
}

/** The list together with the dead letters, which the checkpoint keeps. */
export const allParked = (
  listed: readonly ParkedEvent[],
  checkpoint: { readonly deadLetters: readonly DeadLetter[] } | undefined,
): readonly ParkedEvent[] => [...listed, ...(checkpoint?.deadLetters ?? []).map((letter) => parkedFromLetter(letter))]

/** A step's changes to the list of parked events. */
export type Parking = {
  readonly put: readonly ParkedEvent[]
  /** IDs of events on the list: when one is missing, the step was committed before. */
  readonly removed: readonly string[]
  /** The event that the list refused. */
  readonly deadLetter?: DeadLetter
}

/** The checkpoint holds the dead letters, the list all others. */
export const withDeadLetters = <Checkpoint extends { readonly deadLetters: readonly DeadLetter[] }>(
  { from, to }: { readonly from: Checkpoint; readonly to: Checkpoint },
  { put, removed, deadLetter }: Parking,
): { readonly to: Checkpoint; readonly parking: Omit<Parking, 'deadLetter'> } => {
  const letters = new Set(from.deadLetters.map(({ eventId }) => eventId))
  const seenTo = new Set([...removed, ...put.map(({ event }) => event.id)])
  const kept = from.deadLetters.filter(({ eventId }) => !seenTo.has(eventId) && eventId !== deadLetter?.eventId)
  return {
    to: { ...to, deadLetters: deadLetter ? [...kept, deadLetter] : kept },
    parking: { put, removed: removed.filter((id) => !letters.has(id)) },
  }
}

const errorCharactersMax = 1_000

/** @param error may quote text of the event */
export const asParked = (
  { id, stream, type, revision, position }: ParkedEvent['event'],
  error: string,
  tries: number,
  parkedAt = new Date(),
): ParkedEvent => ({
  event: { id, stream, type, revision, position },
  error: readableText(error.slice(0, errorCharactersMax)),
  tries,
  parkedAt,
  triedAt: new Date(),
  skipped: undefined,
})

/** The list as stores keep it: one row per event. */
export type ParkedRow = {
  readonly eventId: string
  readonly stream: string
  readonly isSkipped: boolean
  readonly details: string
}

/** `details` has the names as in the event store: JSON escapes characters that a database would refuse. */
export const parkedRow = ({ event, skipped, deadLetter: _letter, ...rest }: ParkedEvent): ParkedRow => ({
  eventId: event.id,
  stream: readableText(event.stream),
  isSkipped: skipped !== undefined,
  details: JSON.stringify({
    ...rest,
    event: { ...event, revision: String(event.revision), position: formatPosition(event.position) },
    skipped,
  }),
})

export const parkedFromRow = (details: string): ParkedEvent => {
  const { event, error, tries, parkedAt, triedAt, skipped, stops } = JSON.parse(details)
  const position = parsePosition(event.position)
  if (!position) throw new Error(`A parked event has no position: ${event.id}`)
  return {
    event: { ...event, revision: BigInt(event.revision), position },
    error,
    tries,
    parkedAt: new Date(parkedAt),
    triedAt: new Date(triedAt),
    skipped: skipped && { ...skipped, at: new Date(skipped.at) },
    stops,
  }
}

export const isWaiting = ({ skipped }: ParkedEvent): boolean => skipped === undefined

/** In the order of the store, the longest waiting first; before them the event that stops the projection. */
export const inOrder = (events: Iterable<ParkedEvent>): readonly ParkedEvent[] =>
  [...events].sort(
    (a, b) =>
      Number(b.stops ?? false) - Number(a.stops ?? false) || comparePosition(a.event.position, b.event.position),
  )

/** A dead letter does not name the stream that waits. */
export const unknownStream = ''

/** For readers: the streams that are behind, and a fingerprint of the list. */
export type SetAside = {
  /** Ask {@link isBehind} whether one is among them. */
  readonly parkedStreams: readonly string[]
  /**
   * Empty when every event is projected. Position and fingerprint determine the rows on every node: changes under one
   * fingerprint cannot be applied to a snapshot of another.
   */
  readonly mark: string
}

const markLength = 12
const nothingAside: SetAside = { parkedStreams: [], mark: '' }

export const isBehind = ({ parkedStreams }: Pick<SetAside, 'parkedStreams'>, stream: string): boolean =>
  parkedStreams.includes(stream) || parkedStreams.includes(unknownStream)

export const setAsideOf = (
  parked: readonly Pick<ParkedRow, 'eventId' | 'stream' | 'isSkipped'>[],
  deadLetters: readonly DeadLetter[],
): SetAside => {
  if (parked.length + deadLetters.length === 0) return nothingAside
  const letters = deadLetters.map(({ eventId }) => ({ eventId, stream: unknownStream, isSkipped: false }))
  const rows = [...parked, ...letters]
  const names = rows.map(({ eventId, isSkipped }) => `${eventId}${isSkipped ? ' skipped' : ''}`).sort()
  const digest = createHash('sha256').update(names.join('\n')).digest('base64url').slice(0, markLength)
  return { parkedStreams: rows.flatMap(({ stream, isSkipped }) => (isSkipped ? [] : [stream])), mark: `~${digest}` }
}
