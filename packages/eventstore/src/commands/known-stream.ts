// The known part of a stream: its folded state, its revision, and its newest commands.
import type { Decider, DomainEvent } from '@headwater/deciders/decider'
import { type EventStore, noSuchStream } from '../client/client.ts'
import { type Codec, isOfEngine, type StoredEvent, schemaText } from '../codec.ts'
import { beginning, type Position } from '../position.ts'
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

export const readPageEvents = 500

/**
 * At most `maxCount` events of a stream from a revision on, without hidden ones.
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

/** A stream up to `revision`; -1 when no event is known. It may lag behind the store, never run ahead of it. */
export type KnownStream<State> = {
  readonly state: State
  readonly revision: bigint
  /** The position of the last event; the beginning when there is none. */
  readonly position: Position
  readonly ids: CommandIds
  /** `<type> <schema>` of all events in the state. Changed in place and shared like `ids`. */
  readonly schemas: Set<string>
  /** The revision of the last known snapshot; -1 when there is none. */
  readonly snapshotAt: bigint
}

export const nothingKnown = <State>(initialState: State): KnownStream<State> => ({
  state: initialState,
  revision: -1n,
  position: beginning,
  ids: noCommandIds(),
  schemas: new Set(),
  snapshotAt: -1n,
})

/**
 * Folds the events after `known`.
 * @param firstPage if already read
 * @throws Rejection `unknown_event_type`, StreamDeleted, StreamTruncated
 */
export const readNewer = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: string,
  known: KnownStream<State>,
  evolve: Decider<never, Event, State>['evolve'],
  codec: Codec<Event>,
  firstPage?: readonly StoredEvent[],
): Promise<KnownStream<State>> => {
  let { state, revision, position } = known
  const { ids, schemas } = known
  // Separate until the read is complete: a command may span two pages, and the second read may fail.
  const read = noCommandIds()
  for (let given = firstPage; ; given = undefined) {
    const page = given ?? (await readPage(store, stream, revision + 1n, readPageEvents))
    const records: CommandRecords = new Map()
    for (const stored of page) {
      if (!isOfEngine(stored)) {
        state = evolve(state, codec.decode(stored))
        schemas.add(schemaText(stored))
      }
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
  return { ...known, state, revision, position }
}
