// Checks and inserts one write inside an open transaction: an append, or the deletion of a stream.
import { randomBytes } from 'node:crypto'
import { checkAppend, type StoredEvent } from '../streams/check-append.ts'
import type { Expected, ProposedEvent } from '../wire/messages.ts'
import { uuidBytes } from '../wire/wire.ts'
import type { Database } from './database.ts'
import { firstRevision, type Head, isSnapshot, type Names } from './names.ts'
import { encodeRecord, tombstoneRevision } from './record.ts'
import { isMetastream, isSoftDeleted, metastreamOf, originalOf, softDeletedJson, undeleted } from './stream-metadata.ts'

export type TypedEvent = ProposedEvent & { type: string }
export type Write = {
  // A deleted stream can be recreated, a tombstoned one cannot.
  kind: 'append' | 'delete' | 'tombstone'
  streamName: string
  expected: Expected
  events: TypedEvent[]
  deadlineAtMs: number
  bytes: number
}

export type Outcome =
  // revision -1: the stream has no event; position undefined: no event was written or found.
  | { kind: 'success'; revision: number; position: number | undefined }
  | { kind: 'wrong expected revision'; current: number }
  | { kind: 'stream deleted'; streamName: string }
  | { kind: 'timed out' }
  | { kind: 'busy' }
  | { kind: 'not ready' }
  | { kind: 'failed'; reason: string }

/** True for errors of the node: the same write may succeed later. */
export const isTrouble = (kind: Outcome['kind']): boolean =>
  kind === 'failed' || kind === 'busy' || kind === 'not ready'

// Negative, so that it never equals a revision. Both ends of the ID, because version 1 IDs share their last six bytes
// and version 7 IDs their first. Equal hashes only cost a comparison.
const idKey = (id: Buffer): number => -1 - hash48(id)
const hash48 = (id: Buffer): number =>
  ((id.readUInt16BE(0) ^ id.readUInt16BE(10)) >>> 0) * 2 ** 32 + ((id.readUInt32BE(2) ^ id.readUInt32BE(12)) >>> 0)

const ownEvent = (type: string, data: Buffer): TypedEvent => ({
  id: randomBytes(uuidBytes),
  type,
  contentType: 'application/json',
  customMetadata: Buffer.alloc(0),
  data,
})

export const openWriter = (database: Database, names: Names) => {
  const findPosition = database
    .prepare<[number, number], number>('SELECT position FROM keys WHERE stream = ? AND key = ?')
    .pluck()
  const findPositions = database
    .prepare<[number, number], number>('SELECT position FROM keys WHERE stream = ? AND key = ? ORDER BY position DESC')
    .pluck()
  const findEvent = database.prepare<[number], StoredEvent>(
    'SELECT substr(record, 1, 16) AS id, revision, position FROM events WHERE position = ?',
  )
  const insertEvent = database.prepare<[number, number, number, number, Buffer]>(
    'INSERT INTO events (position, stream, type, revision, record) VALUES (?, ?, ?, ?, ?)',
  )
  const insertKeys = database.prepare<[number, number, number, number, number, number]>(
    'INSERT INTO keys (stream, key, position) VALUES (?, ?, ?), (?, ?, ?)',
  )
  // EventStoreDB does this in a scavenge.
  const removeEvents = database.prepare<[number, number]>(
    'DELETE FROM events WHERE position IN (SELECT position FROM keys WHERE stream = ? AND key >= 0 AND key < ?)',
  )
  const removeKeys = database.prepare<[number, number, number]>(
    'DELETE FROM keys WHERE stream = ? AND position < (SELECT position FROM keys WHERE stream = ? AND key >= ? ORDER BY key LIMIT 1)',
  )
  const findLast = database.prepare<[], number | null>('SELECT max(position) FROM events').pluck()

  let lastPosition = findLast.get() ?? 0
  let touched = new Set<string>()

  // A stream may contain an ID more than once; the latest counts, as in EventStoreDB's bounded cache.
  const findById = ({ stream }: Head, id: Buffer): StoredEvent | undefined => {
    if (stream === undefined) return undefined
    for (const position of findPositions.all(stream, idKey(id))) {
      const event = findEvent.get(position)
      if (event?.id.equals(id)) return event
    }
    return undefined
  }

  const findByRevision = ({ stream, revision: last }: Head, revision: number): StoredEvent | undefined => {
    if (stream === undefined || revision > last) return undefined
    const position = findPosition.get(stream, revision)
    return position === undefined ? undefined : findEvent.get(position)
  }

  /** @param first the revision of the first of the events */
  const insert = (streamName: string, head: Head, first: number, events: TypedEvent[]): void => {
    const stream = head.stream ?? names.addStream(streamName)
    const createdAtMs = Date.now()
    let revision = first - 1
    for (const event of events) {
      lastPosition++
      revision++
      const record = encodeRecord(event, { streamName, revision, position: lastPosition, createdAtMs })
      insertEvent.run(lastPosition, stream, names.typeNumber(event.type), revision, record)
      insertKeys.run(stream, revision, lastPosition, stream, idKey(event.id), lastPosition)
    }
    const moved = { ...head, stream, revision }
    names.moveHead(streamName, moved)
    if (isSnapshot(streamName)) {
      const kept = firstRevision(moved)
      removeEvents.run(stream, kept)
      removeKeys.run(stream, stream, kept)
    }
    touched.add(streamName)
  }

  const writeMetadata = (streamName: string, json: Buffer): void => {
    const metastream = metastreamOf(streamName)
    const head = names.head(metastream)
    insert(metastream, head, head.revision + 1, [ownEvent('$metadata', json)])
  }

  // A deleted stream is recreated after its last event; its new metadata keeps all other keys.
  const undelete = (streamName: string, from: number): void =>
    writeMetadata(streamName, undeleted(names.metadataJson(streamName), from))

  const append = ({ streamName, events }: Write, head: Head): Outcome => {
    const { revision: current } = head
    if (events.length === 0) return { kind: 'success', revision: current, position: undefined }
    const original = isMetastream(streamName) ? names.head(originalOf(streamName)) : undefined
    insert(streamName, head, current + 1, events)
    const position = lastPosition
    if (isSoftDeleted(head.metadata)) undelete(streamName, current + 1)
    if (original && isSoftDeleted(original.metadata)) undelete(originalOf(streamName), original.revision + 1)
    return { kind: 'success', revision: current + events.length, position }
  }

  const remove = ({ kind, streamName }: Write, head: Head): Outcome => {
    if (kind === 'tombstone') {
      insert(streamName, head, tombstoneRevision, [ownEvent('$streamDeleted', Buffer.alloc(0))])
    } else {
      if (head.revision < 0 && !head.metadata.exists) return { kind: 'wrong expected revision', current: -1 }
      writeMetadata(streamName, Buffer.from(softDeletedJson))
    }
    return { kind: 'success', revision: head.revision, position: lastPosition }
  }

  return {
    lastPosition: (): number => lastPosition,
    /** The streams written since the last call. */
    takeTouched: (): Set<string> => {
      const taken = touched
      touched = new Set()
      return taken
    },
    /** Drops caches of writes after `position` that were rolled back. */
    rolledBackTo: (position: number): void => {
      lastPosition = position
      touched = new Set()
    },
    write: (write: Write): Outcome => {
      const { streamName, events, expected } = write
      const head = names.head(streamName)
      const stream = {
        current: head.revision,
        tombstoned: names.isTombstoned(streamName),
        softDeleted: isSoftDeleted(head.metadata),
        hasMetadata: head.metadata.exists,
        findById: (id: Buffer) => findById(head, id),
        findByRevision: (revision: number) => findByRevision(head, revision),
      }
      // A deletion is checked like an append of an event with a new ID.
      const ids = write.kind === 'append' ? events.map((event) => event.id) : [randomBytes(uuidBytes)]
      const decision = checkAppend(stream, expected, ids)
      switch (decision.kind) {
        case 'append':
          return write.kind === 'append' ? append(write, head) : remove(write, head)
        case 'repeated':
          return { kind: 'success', revision: decision.revision, position: decision.position }
        case 'wrong expected revision':
          return { kind: 'wrong expected revision', current: head.revision }
        case 'stream deleted':
          return { kind: 'stream deleted', streamName }
      }
    },
  }
}
