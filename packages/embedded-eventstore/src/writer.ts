// Checks and inserts one append inside an open transaction.
import { checkAppend, type StoredEvent } from './check-append.ts'
import type { Database } from './database.ts'
import type { Expected, ProposedEvent } from './messages.ts'
import type { Head, Names } from './names.ts'
import { encodeRecord } from './record.ts'

export type TypedEvent = ProposedEvent & { type: string }
export type Append = {
  streamName: string
  expected: Expected
  events: TypedEvent[]
  deadlineAtMs: number
  bytes: number
}

export type Outcome =
  // revision -1: the stream has no event; position undefined: nothing was written or found.
  | { kind: 'success'; revision: number; position: number | undefined }
  | { kind: 'wrong expected revision'; current: number }
  | { kind: 'timed out' }
  | { kind: 'busy' }
  | { kind: 'failed'; reason: string }

// Negative, so that it never meets a revision. Both ends of the id, because version 1 ids share their last six bytes
// and version 7 ids their first. Equal hashes only cost a comparison.
const idKey = (id: Buffer): number => -1 - hash48(id)
const hash48 = (id: Buffer): number =>
  ((id.readUInt16BE(0) ^ id.readUInt16BE(10)) >>> 0) * 2 ** 32 + ((id.readUInt32BE(2) ^ id.readUInt32BE(12)) >>> 0)

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
  const findLast = database.prepare<[], number | null>('SELECT max(position) FROM events').pluck()

  // The same id may stand in a stream more than once; the latest counts, as it would in a bounded cache.
  const findById = (head: Head | undefined, id: Buffer): StoredEvent | undefined => {
    if (!head) return undefined
    for (const position of findPositions.all(head.stream, idKey(id))) {
      const event = findEvent.get(position)
      if (event?.id.equals(id)) return event
    }
    return undefined
  }

  const findByRevision = (head: Head | undefined, revision: number): StoredEvent | undefined => {
    if (!head || revision > head.revision) return undefined
    const position = findPosition.get(head.stream, revision)
    return position === undefined ? undefined : findEvent.get(position)
  }

  const hasEvents = (streamName: string): boolean => (names.head(streamName)?.revision ?? -1) >= 0

  const insert = ({ streamName, events }: Append, current: number, lastPosition: number): Outcome => {
    if (events.length === 0) return { kind: 'success', revision: current, position: undefined }
    const stream = names.streamNumber(streamName)
    const createdAtMs = Date.now()
    let position = lastPosition
    let revision = current
    for (const event of events) {
      position++
      revision++
      const record = encodeRecord(event, { streamName, revision, position, createdAtMs })
      insertEvent.run(position, stream, names.typeNumber(event.type), revision, record)
      insertKeys.run(stream, revision, position, stream, idKey(event.id), position)
    }
    names.moveHead(streamName, { stream, revision })
    return { kind: 'success', revision, position }
  }

  return {
    lastPosition: (): number => findLast.get() ?? 0,
    write: (append: Append, lastPosition: number): Outcome => {
      const head = names.head(append.streamName)
      const current = head?.revision ?? -1
      const stream = {
        current,
        hasMetadata: () => hasEvents(`$$${append.streamName}`),
        findById: (id: Buffer) => findById(head, id),
        findByRevision: (revision: number) => findByRevision(head, revision),
      }
      const ids = append.events.map((event) => event.id)
      const decision = checkAppend(stream, append.expected, ids)
      if (decision.kind === 'wrong expected revision') return { kind: 'wrong expected revision', current }
      if (decision.kind === 'append') return insert(append, current, lastPosition)
      return { kind: 'success', revision: decision.revision, position: decision.position }
    },
  }
}
