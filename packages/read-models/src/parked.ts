// Events that a follower of the store could not take in: each parks its stream, whose later events wait behind it.
import { createHash } from 'node:crypto'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition, parsePosition } from '@headwater/eventstore/position'

/** An operator's decision to go on without an event. */
export type Skip = { readonly reason: string; readonly by: string; readonly at: Date }

export type ParkedEvent = {
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'>
  /** Why it could not be taken in. */
  readonly error: string
  /** How often it was tried alone. */
  readonly tries: number
  readonly parkedAt: Date
  readonly triedAt: Date
  /** Its stream goes on without it. It stays on the list: whoever builds the rows again skips it too. */
  readonly skipped: Skip | undefined
}

/** What a step changes of the list of parked events. */
export type Parking = {
  readonly put: readonly ParkedEvent[]
  /** Ids of events that are on the list: when one is not, the step has been taken before. */
  readonly removed: readonly string[]
}

/** The list as stores keep it: an event a row. */
export type ParkedRow = {
  readonly eventId: string
  readonly stream: string
  readonly isSkipped: boolean
  readonly details: string
}

export const parkedRow = ({ event, skipped, ...rest }: ParkedEvent): ParkedRow => ({
  eventId: event.id,
  stream: event.stream,
  isSkipped: skipped !== undefined,
  details: JSON.stringify({
    ...rest,
    event: { ...event, revision: String(event.revision), position: formatPosition(event.position) },
    skipped,
  }),
})

export const parkedFromRow = (details: string): ParkedEvent => {
  const { event, error, tries, parkedAt, triedAt, skipped } = JSON.parse(details)
  const position = parsePosition(event.position)
  if (!position) throw new Error(`A parked event has no position: ${event.id}`)
  return {
    event: { ...event, revision: BigInt(event.revision), position },
    error,
    tries,
    parkedAt: new Date(parkedAt),
    triedAt: new Date(triedAt),
    skipped: skipped && { ...skipped, at: new Date(skipped.at) },
  }
}

export const isWaiting = ({ skipped }: ParkedEvent): boolean => skipped === undefined

/** In the order of the store, so that the longest waiting come first. */
export const inOrder = (events: Iterable<ParkedEvent>): readonly ParkedEvent[] =>
  [...events].sort((a, b) => comparePosition(a.event.position, b.event.position))

/** What readers have to know of the list: which streams are not up to date, and which rows these are. */
export type SetAside = {
  readonly parkedStreams: readonly string[]
  /**
   * Empty when every event was taken in. Rows are what their position and this mark say, on whichever node: a picture
   * of one mark cannot be followed under another.
   */
  readonly mark: string
}

const markLength = 12
const nothingAside: SetAside = { parkedStreams: [], mark: '' }

export const setAsideOf = (rows: readonly Pick<ParkedRow, 'eventId' | 'stream' | 'isSkipped'>[]): SetAside => {
  if (rows.length === 0) return nothingAside
  const names = rows.map(({ eventId, isSkipped }) => `${eventId}${isSkipped ? ' skipped' : ''}`).sort()
  const digest = createHash('sha256').update(names.join('\n')).digest('base64url').slice(0, markLength)
  return { parkedStreams: rows.flatMap(({ stream, isSkipped }) => (isSkipped ? [] : [stream])), mark: `~${digest}` }
}
