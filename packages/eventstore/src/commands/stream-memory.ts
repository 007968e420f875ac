// A handler's bounded cache of streams: filled by reads and appends, dropped where it may be wrong.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { EventStore } from '../client/client.ts'
import { type Codec, createCodec } from '../codec.ts'
import { type KnownStream, nothingKnown, readNewer } from './known-stream.ts'
import { readFromSnapshot } from './read-known.ts'
import { type SnapshotWriter, snapshotWriter } from './snapshots.ts'
import { StreamTruncated } from './stream-truncated.ts'

export type StreamMemory<Event extends DomainEvent, State> = {
  readonly store: EventStore
  readonly streamType: StreamType<never, Event, State>
  readonly codec: Codec<Event>
  readonly cache: LRUCache<string, KnownStream<State>>
  /** Only of a stream type with snapshots. */
  readonly snapshots: SnapshotWriter<State> | undefined
}

/** @param weightMax a stream weighs one, plus one for every command in memory */
export const streamMemory = <Event extends DomainEvent, State>(
  store: EventStore,
  streamType: StreamType<never, Event, State>,
  weightMax: number,
  logger: Logger,
): StreamMemory<Event, State> => {
  const { snapshot } = streamType
  return {
    store,
    streamType,
    codec: createCodec(streamType),
    cache: new LRUCache({ maxSize: weightMax, sizeCalculation: (known) => 1 + known.ids.records.size }),
    snapshots: snapshot && snapshotWriter({ store, snapshot, logger }),
  }
}

const keep = <Event extends DomainEvent, State>(
  { cache }: StreamMemory<Event, State>,
  stream: string,
  read: KnownStream<State>,
): KnownStream<State> => {
  if (read.revision >= 0n) cache.set(stream, read)
  return read
}

const readFromStart = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  stream: string,
): Promise<KnownStream<State>> => {
  const { store, streamType, codec } = memory
  // From the start: a snapshot would hide that events are missing.
  const read = store.mayHideEvents(stream)
    ? readNewer(store, stream, nothingKnown(streamType.decider.initialState), streamType.decider.evolve, codec)
    : readFromSnapshot(store, streamType, stream, codec)
  return keep(memory, stream, await read)
}

/** Folds events newer than `known`. @throws as `readNewer` does */
export const refresh = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  stream: string,
  known: KnownStream<State>,
) => {
  if (known.revision < 0n) return readFromStart(memory, stream)
  const { store, streamType, codec } = memory
  const read = await readNewer(store, stream, known, streamType.decider.evolve, codec)
  // The process that appended the newer events has written the snapshot.
  const snapshotAt = read.revision > known.revision ? read.revision : known.snapshotAt
  return keep(memory, stream, { ...read, snapshotAt })
}

/**
 * The cached state; a fresh read where metadata may hide events. An unknown stream counts as empty (docs/decisions/005),
 * unless its type has snapshots: such streams live long, and are read first.
 * @throws StreamTruncated
 */
export const currentOf = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  stream: string,
): Promise<KnownStream<State>> => {
  const { store, streamType, cache, snapshots } = memory
  if (!store.mayHideEvents(stream)) {
    const cached = cache.get(stream)
    if (cached) return cached
    return snapshots ? readFromStart(memory, stream) : nothingKnown(streamType.decider.initialState)
  }
  const whole = await readFromStart(memory, stream)
  if (whole.revision < 0n) throw new StreamTruncated()
  return whole
}

/** The events in the store after a conflict. */
export const readAfterConflict = async <Event extends DomainEvent, State>(
  memory: StreamMemory<Event, State>,
  stream: string,
  believed: KnownStream<State>,
  firstAttempt: boolean,
): Promise<KnownStream<State>> => {
  memory.cache.delete(stream)
  const orBelieved = (error: unknown) => (error instanceof StreamTruncated ? believed : Promise.reject(error))
  const newer = firstAttempt ? await refresh(memory, stream, believed).catch(orBelieved) : believed
  // A conflict without newer events: this store never had the known events.
  return newer.revision > believed.revision ? newer : readFromStart(memory, stream)
}

/** Caches the state that a successful first attempt has proved. */
export const keepProved = <Event extends DomainEvent, State>(
  { cache, snapshots }: StreamMemory<Event, State>,
  stream: string,
  known: KnownStream<State>,
) => {
  cache.set(stream, snapshots?.offer(stream, known) ?? known)
}
