// Reads the current state of a stream: from its newest snapshot on, or from the start.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import type { EventStore } from '../client/client.ts'
import { type Codec, createCodec } from '../codec.ts'
import { streamName } from '../stream-name.ts'
import { type KnownStream, nothingKnown, readNewer, readPage, readPageEvents } from './known-stream.ts'
import { readSnapshot } from './snapshots.ts'
import { StreamTruncated } from './stream-truncated.ts'

/** @throws Rejection `unknown_event_type`, StreamDeleted, StreamTruncated */
export const readFromSnapshot = async <Event extends DomainEvent, State>(
  store: EventStore,
  { decider, snapshot }: StreamType<never, Event, State>,
  stream: string,
  codec: Codec<Event>,
): Promise<KnownStream<State>> => {
  const found = snapshot && (await readSnapshot(store, stream, snapshot, codec))
  if (found)
    try {
      // Includes the last event of the snapshot: the stream must exist and continue from it.
      const [last, ...newer] = await readPage(store, stream, found.revision, readPageEvents + 1)
      if (last) return await readNewer(store, stream, found, decider.evolve, codec, newer)
    } catch (error) {
      if (!(error instanceof StreamTruncated)) throw error
    }
  return readNewer(store, stream, nothingKnown(decider.initialState), decider.evolve, codec)
}

/** The current state of a stream, for callers that read another stream than the one they change. */
export const readKnown = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: StreamType<never, Event, State>,
  id: string,
): Promise<KnownStream<State>> => readFromSnapshot(store, stream, streamName(stream.category, id), createCodec(stream))

export const readState = async <Event extends DomainEvent, State>(
  store: EventStore,
  stream: StreamType<never, Event, State>,
  id: string,
): Promise<State> => (await readKnown(store, stream, id)).state
