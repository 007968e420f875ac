// Finds the commands that a stream has recorded: the newest in memory, older ones by reading the stream backwards.
import { type EventStore, noSuchStream } from '../client/client.ts'
import { type StoredEvent, stepRefusedType } from '../codec.ts'
import { comparePosition, type Position } from '../position.ts'
import type { CommandRequest } from './command-request.ts'
import { StreamTruncated } from './stream-truncated.ts'

/** Limit per stream in memory. The oldest are dropped first; the stream still has them. */
export const idsKeptMax = 1_000
/** Search limit for a command with a time as its `notBefore`. */
const eventsBackMax = 10_000n
const readPageEvents = 500

/** The trace of one command in a stream. */
export type CommandRecord = {
  /** A commandId that returns with another hash is another request under a used key. */
  readonly requestHash: string
  readonly first: bigint
  readonly last: bigint
  readonly position: Position
  readonly recordedAtMs: number
  /** The code with which the stream refused the command. */
  readonly refusedWith?: string | undefined
}

/** By commandId, oldest first. */
export type CommandRecords = Map<string, CommandRecord>

/**
 * Changed in place and shared by all states of a stream: copying it for every command would make a long stream slow, and
 * its commands were recorded at every revision.
 */
export type CommandIds = {
  readonly records: CommandRecords
  /** Commands of a snapshot, older than `records`; unpacked only when one of them is needed. */
  packed: PackedCommands | undefined
  /** The newest dropped command; all later commands are here. */
  forgotten: CommandRecord | undefined
}

export type PackedCommands = {
  /** The newest of them. */
  readonly newest: CommandRecord
  readonly unpack: () => Promise<Iterable<readonly [string, CommandRecord]>>
}

export const noCommandIds = (): CommandIds => ({ records: new Map(), packed: undefined, forgotten: undefined })

const forget = (ids: CommandIds, record: CommandRecord | undefined) => {
  if (record && record.last > (ids.forgotten?.last ?? -1n)) ids.forgotten = record
}

export const remember = (ids: CommandIds, records: Iterable<readonly [string, CommandRecord]>): void => {
  for (const [commandId, record] of records) ids.records.set(commandId, record)
  for (const [commandId, record] of ids.records) {
    if (ids.records.size <= idsKeptMax) break
    ids.records.delete(commandId)
    ids.packed = undefined
    forget(ids, record)
  }
}

/** Adds the commands of the snapshot before the others. */
export const unpackAll = async (ids: CommandIds): Promise<void> => {
  const { packed, records } = ids
  if (!packed) return
  const unpacked = await packed.unpack().catch(() => undefined)
  // Dropped or unpacked by another call meanwhile.
  if (ids.packed !== packed) return
  const newer = [...records]
  ids.packed = undefined
  records.clear()
  // Damaged: they are read from the stream instead.
  if (!unpacked) forget(ids, packed.newest)
  for (const [commandId, record] of unpacked ?? []) records.set(commandId, record)
  remember(ids, newer)
}

/** Adds commands that were read into a separate set, once the read is complete. */
export const rememberAll = (ids: CommandIds, read: CommandIds): void => {
  forget(ids, read.forgotten)
  remember(ids, read.records)
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export const commandIdOf = ({ metadata }: StoredEvent): string | undefined => text(metadata.commandId)

/** The record of an event's command, extended by this event. */
export const recordOf = (event: StoredEvent, others: CommandRecord | undefined): CommandRecord => {
  const { revision } = event
  const isLast = others === undefined || revision > others.last
  return {
    requestHash: text(event.metadata.requestHash) ?? '',
    first: others && others.first < revision ? others.first : revision,
    last: isLast ? revision : others.last,
    position: isLast ? event.position : others.position,
    recordedAtMs: isLast ? event.recordedAt.getTime() : others.recordedAtMs,
    refusedWith: event.type === stepRefusedType ? text((event.data as { readonly code?: unknown }).code) : undefined,
  }
}

type Sought = Pick<CommandRequest<never>, 'commandId' | 'notBefore'>

/** True when the command may have been recorded before then. */
const mayPrecede = (
  { notBefore }: Sought,
  { position, recordedAtMs }: Pick<CommandRecord, 'position' | 'recordedAtMs'>,
): boolean => {
  if (notBefore === undefined) return true
  if (notBefore === 'now') return false
  return notBefore instanceof Date ? notBefore.getTime() <= recordedAtMs : comparePosition(notBefore, position) < 0
}

async function* backwards(store: Pick<EventStore, 'readStreamBack'>, stream: string, from: bigint) {
  for (let next = from; next >= 0n; ) {
    const page = await store.readStreamBack(stream, next, readPageEvents)
    if (page === noSuchStream) throw new StreamTruncated()
    for (const event of page) {
      if (event.revision !== next) throw new StreamTruncated()
      yield event
      next--
    }
    if (page.length < readPageEvents && next >= 0n) throw new StreamTruncated()
  }
}

export type OlderCommands = {
  /** By commandId. */
  readonly found: ReadonlyMap<string, CommandRecord>
  /**
   * Reads the stream backwards as far as one of these commands may have been recorded without being in memory.
   * @param last the stream's last known revision
   * @param isFirst false when the stream may already have an append of these requests
   * @throws StreamDeleted, StreamTruncated
   */
  readonly find: (ids: CommandIds, last: bigint, requests: readonly Sought[], isFirst: boolean) => Promise<void>
}

/** For one decision and its repeats: each event is read once. */
export const olderCommands = (store: Pick<EventStore, 'readStreamBack'>, stream: string): OlderCommands => {
  const found: CommandRecords = new Map()
  let searchedTo = -1n
  return {
    found,
    find: async (ids, last, requests, isFirst) => {
      const { packed } = ids
      const mayBePacked = (request: Sought) =>
        packed && !ids.records.has(request.commandId) && mayPrecede(request, packed.newest)
      if (!isFirst || requests.some(mayBePacked)) await unpackAll(ids)
      const { forgotten } = ids
      if (!forgotten || forgotten.last <= searchedTo) return
      const sought = requests.filter((request) => !ids.records.has(request.commandId) && mayPrecede(request, forgotten))
      const wanted = new Set(sought.map(({ commandId }) => commandId))
      const isWithin = ({ position, recordedAt, revision }: StoredEvent) =>
        sought.some(
          (one) =>
            !found.has(one.commandId) &&
            mayPrecede(one, { position, recordedAtMs: recordedAt.getTime() }) &&
            !(one.notBefore instanceof Date && last - revision >= eventsBackMax - 1n),
        )
      if (sought.length > 0)
        for await (const event of backwards(store, stream, forgotten.last)) {
          if (event.revision <= searchedTo) break
          const commandId = commandIdOf(event)
          if (commandId !== undefined && wanted.has(commandId))
            found.set(commandId, recordOf(event, found.get(commandId)))
          // Continues to the first events of a command whose last event was found.
          else if (!isWithin(event)) break
        }
      searchedTo = forgotten.last
    },
  }
}
