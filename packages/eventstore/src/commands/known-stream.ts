// What a process knows of a stream: its folded state, its revision, and which commands it has recorded.
import { type Decider, type DomainEvent, Rejection } from '@headwater/deciders/decider'
import type { StreamType } from '@headwater/deciders/stream-type'
import { type EventStore, noSuchStream } from '../client/client.ts'
import { type Codec, createCodec, isOfEngine, type StoredEvent, stepRefusedType } from '../codec.ts'
import { beginning, type Position } from '../position.ts'
import { streamName } from '../stream-name.ts'

const readPageEvents = 500

/** The store hides events of the stream: it was soft-deleted, or its metadata cut it short. No decision can rest on the others. */
export class StreamTruncated extends Rejection {
  constructor() {
    super('stream_truncated', 'Part of its history is missing in the event store. An operator has to look at it.')
  }
}

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

/** What one command left in a stream. */
export type CommandRecord = {
  /** Of what was asked; a commandId that comes back with another hash is another request under a used key. */
  readonly requestHash: string
  readonly first: bigint
  readonly last: bigint
  readonly position: Position
  /** The code with which the stream refused the command. */
  readonly refusedWith?: string | undefined
}

/** A stream up to `revision`; -1 when nothing is known to be written. May lag behind the store, never run ahead of it. */
export type KnownStream<State> = {
  readonly state: State
  readonly revision: bigint
  /** Of the last event; before everything when there is none. */
  readonly position: Position
  /**
   * By commandId. Grows in place, shared by all that was known of the stream before: copying it for every command would
   * make a long stream slow, and a commandId that is here was recorded, whatever revision one looks from.
   */
  readonly commands: Map<string, CommandRecord>
}

export const nothingKnown = <State>(initialState: State): KnownStream<State> => ({
  state: initialState,
  revision: -1n,
  position: beginning,
  commands: new Map(),
})

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The record of an event's command, grown by this event. */
const recordOf = (event: StoredEvent, before: CommandRecord | undefined): CommandRecord => ({
  requestHash: text(event.metadata.requestHash) ?? '',
  first: before?.first ?? event.revision,
  last: event.revision,
  position: event.position,
  refusedWith: event.type === stepRefusedType ? text((event.data as { readonly code?: unknown }).code) : undefined,
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
  const { commands } = known
  // Kept apart until all is read: a command may straddle two pages, and the second may never come.
  const read = new Map<string, CommandRecord>()
  for (;;) {
    const page = await readPage(store, stream, revision + 1n, readPageEvents)
    for (const stored of page) {
      if (!isOfEngine(stored)) state = evolve(state, codec.decode(stored))
      revision = stored.revision
      position = stored.position
      const commandId = text(stored.metadata.commandId)
      if (commandId === undefined) continue
      read.set(commandId, recordOf(stored, read.get(commandId) ?? commands.get(commandId)))
    }
    if (page.length < readPageEvents) break
  }
  for (const [commandId, record] of read) commands.set(commandId, record)
  return { state, revision, position, commands }
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
