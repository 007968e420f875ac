// Performs requests with the published client, and returns their outcomes.
import {
  BACKWARDS,
  type EventStoreDBClient,
  FORWARDS,
  jsonEvent,
  type RecordedEvent,
  START,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { classic } from '../helpers.ts'
import { type Event, type Outcome, softDeleted } from './history.ts'
import type { Ask } from './requests.ts'

type Data = { append?: number; index: number; of: number; $tb?: number; $maxCount?: number }

export const eventOf = ({ id, streamId, revision, type, data, position }: RecordedEvent): Event => {
  const said = data as Partial<Data> | undefined
  const { append, index = 0, of = 0, $tb, $maxCount } = said ?? {}
  return {
    id,
    stream: streamId,
    revision,
    type,
    position: position?.commit ?? -1n,
    part: append === undefined ? undefined : { append, index, of },
    // A double cannot represent 2^63 - 1.
    truncateBefore: $tb === undefined ? undefined : $tb >= 2 ** 63 ? softDeleted : BigInt($tb),
    maxCount: $maxCount === undefined ? undefined : BigInt($maxCount),
  }
}

const failed = (error: unknown): Outcome => {
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error
    return { kind: 'wrong expected version', actual: actualVersion === 'no_stream' ? -1n : BigInt(actualVersion) }
  }
  if (error instanceof StreamDeletedError) return { kind: 'stream deleted' }
  if (error instanceof StreamNotFoundError) return { kind: 'stream not found' }
  return { kind: 'unknown', reason: String(error) }
}

const read = async (reading: AsyncIterable<{ event?: RecordedEvent }>, isWanted: (event: Event) => boolean) => {
  const events: Event[] = []
  for await (const { event } of reading) {
    const found = event && eventOf(event)
    if (found && isWanted(found)) events.push(found)
  }
  return events
}

/** All events that match `isWanted`, in the order of `$all`. */
export const readLog = (client: EventStoreDBClient, isWanted: (event: Event) => boolean): Promise<Event[]> =>
  read(client.readAll({ fromPosition: START }), isWanted)

const ask = async (client: EventStoreDBClient, { stream, request }: Ask, isClassic: boolean): Promise<Outcome> => {
  if (request.kind === 'append') {
    const { append, ids, expected } = request
    const events = ids.map((id, index) =>
      jsonEvent({ id, type: 'Added', data: { append, index, of: ids.length } satisfies Data }),
    )
    const options = { expectedRevision: expected, ...(isClassic ? classic : {}) }
    const { nextExpectedRevision, position } = await client.appendToStream(stream, events, options)
    return { kind: 'success', revision: nextExpectedRevision, position: position?.commit ?? -1n }
  }
  if (request.kind === 'read') {
    const { forwards, from, count } = request
    const direction = forwards ? FORWARDS : BACKWARDS
    const reading = client.readStream(stream, { direction, fromRevision: from, maxCount: count })
    return { kind: 'events', events: await read(reading, () => true) }
  }
  if (request.kind === 'read $all') throw new Error('It is asked for below.')
  if (request.kind === 'set metadata') {
    const { truncateBefore, maxCount } = request
    const metadata = {
      ...(truncateBefore === undefined ? {} : { truncateBefore: Number(truncateBefore) }),
      ...(maxCount === undefined ? {} : { maxCount: Number(maxCount) }),
    }
    const { nextExpectedRevision, position } = await client.setStreamMetadata(stream, metadata)
    return { kind: 'success', revision: nextExpectedRevision, position: position?.commit ?? -1n }
  }
  if (request.expected === 'stream_exists') throw new Error('Client 6.2.1 cannot say this of a deletion.')
  const options = { expectedRevision: request.expected }
  const { position } =
    request.kind === 'delete'
      ? await client.deleteStream(stream, options)
      : await client.tombstoneStream(stream, options)
  return { kind: 'success', revision: -1n, position: position?.commit ?? -1n }
}

// In a shared store, reads until there are enough events of these streams.
const askForAll = async (
  client: EventStoreDBClient,
  after: bigint,
  count: number,
  isWanted: (event: Event) => boolean,
): Promise<Outcome> => {
  const events: Event[] = []
  const fromPosition = after === 0n ? START : { commit: after, prepare: after }
  for await (const { event } of client.readAll({ fromPosition })) {
    const found = event && eventOf(event)
    if (found && found.position > after && isWanted(found)) events.push(found)
    if (events.length === count) break
  }
  return { kind: 'events', events }
}

/** @param isClassic true for the older of the two append methods */
export const perform = (
  client: EventStoreDBClient,
  asked: Ask,
  { isClassic, isWanted }: { isClassic: boolean; isWanted: (event: Event) => boolean },
): Promise<Outcome> => {
  const { request } = asked
  const outcome =
    request.kind === 'read $all'
      ? askForAll(client, request.after, request.count, isWanted)
      : ask(client, asked, isClassic)
  return outcome.catch(failed)
}
