// What a process knows of a stream: its folded state, its revision, and its newest commands.
import type { Decider, DomainEvent } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import { type EventStore, noSuchStream } from '../client/client.ts'
import { type Codec, createCodec, isOfEngine, type StoredEvent } from '../codec.ts'
import { beginning, type Position } from '../position.ts'
import { streamName } from '../stream-name.ts'
import {
  type CommandIds,
  type CommandRecords,
  commandIdOf,
  noCommandIds,
  recordOf,
  remember,
  rememberAll,
} from './command-ids.ts'
import { StreamTruncated } from './stream-truncated.ts'

const readPageEvents = 500

/**
 * At most `maxCount` events of a stream from a revision on, of which none is hidden.
 * @throws StreamDeleted, StreamTruncated
 */
export const readPage = async (
  store: Pick<EventStore, 'readStream'>,
  stream: string,
  from: bigint,
  maxCount: number,
): Promise<readonly StoredEvent[]> => {
  const page = await store.readStream(stream, from, maxCount)
  const isNew = from === 0n && page.length === 0
  const hasGap = page.some(({ revision }, n) => revision !== from + BigInt(n))
  if (hasGap || (page === noSuchStream) !== isNew) throw new StreamTruncated()
  return page
}

/** A stream up to `revision`; -1 when nothing is known to be written. May lag behind the store, never run ahead of it. */
export type KnownStream<State> = {
  readonly state: State
  readonly revision: bigint
  /** Of the last event; before everything when there is none. */
  readonly position: Position
  readonly ids: CommandIds
}

export const nothingKnown = <State>(initialState: State): KnownStream<State> => ({
  state: initialState,
  revision: -1n,
  position: beginning,
  ids: noCommandIds(),
})

/**
 * Folds in what was written after `known`.
 * @throws Rejection `unknown_event_type`, StreamDeleted, StreamTruncated
 */
export const readNewer = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: string,
  known: KnownStream<State>,
  evolve: Decider<never, Event, State>['evolve'],
  codec: Codec<Event>,
): Promise<KnownStream<State>> => {
  let { state, revision, position } = known
  const { ids } = known
  // Kept apart until all is read: a command may straddle two pages, and the second may never come.
  const read = noCommandIds()
  for (;;) {
    const page = await readPage(store, stream, revision + 1n, readPageEvents)
    const records: CommandRecords = new Map()
    for (const stored of page) {
      if (!isOfEngine(stored)) state = evolve(state, codec.decode(stored))
      revision = stored.revision
      position = stored.position
      const commandId = commandIdOf(stored)
      if (commandId === undefined) continue
      const before = records.get(commandId) ?? read.records.get(commandId) ?? ids.records.get(commandId)
      records.set(commandId, recordOf(stored, before))
    }
    remember(read, records)
    if (page.length < readPageEvents) break
  }
  rememberAll(ids, read)
  return { state, revision, position, ids }
}

/** The stream of the thing `id` as the store has it now, for callers that look at another stream than the one they change. */
export const readKnown = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: StreamType<never, Event, State>,
  id: string,
): Promise<KnownStream<State>> => {
  const { category, decider } = stream
  const from = nothingKnown(decider.initialState)
  return readNewer(store, streamName(category, id), from, decider.evolve, createCodec(stream))
}

export const readState = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: StreamType<never, Event, State>,
  id: string,
): Promise<State> => (await readKnown(store, stream, id)).state
