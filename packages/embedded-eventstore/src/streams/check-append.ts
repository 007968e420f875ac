// Decides an append by expected revision and event IDs: EventStoreDB's rules for optimistic concurrency and repeats.
import type { Expected } from '../wire/messages.ts'

export type StoredEvent = { id: Buffer; revision: number; position: number }

export type StreamView = {
  // -1: no event yet.
  current: number
  tombstoned: boolean
  softDeleted: boolean
  hasMetadata: boolean
  findById: (id: Buffer) => StoredEvent | undefined
  findByRevision: (revision: number) => StoredEvent | undefined
}

export type Decision =
  | { kind: 'append' }
  | { kind: 'repeated'; revision: number; position: number | undefined }
  | { kind: 'wrong expected revision' }
  | { kind: 'stream deleted' }

const append: Decision = { kind: 'append' }
const wrong: Decision = { kind: 'wrong expected revision' }
const deleted: Decision = { kind: 'stream deleted' }

const repeated = (matches: StoredEvent[], current: number): Decision => {
  const last = matches.at(-1)
  return { kind: 'repeated', revision: last?.revision ?? current, position: last?.position }
}

// Rule 3: without a revision only the IDs identify a repeat.
const checkByIds = (stream: StreamView, ids: Buffer[]): Decision => {
  const matches: StoredEvent[] = []
  for (const id of ids) {
    const match = stream.findById(id)
    if (!match) return matches.length === 0 ? append : wrong
    matches.push(match)
  }
  return repeated(matches, stream.current)
}

// Rule 4: with an earlier revision the events after it must be the same. Other events are refused, except for the first
// of a deleted stream, which it recreates.
const checkByRevision = (stream: StreamView, revision: number, ids: Buffer[]): Decision => {
  if (revision > stream.current) return wrong
  if (revision === stream.current) return append
  const matches: StoredEvent[] = []
  for (const [index, id] of ids.entries()) {
    const match = stream.findByRevision(revision + 1 + index)
    if (!match?.id.equals(id)) return index === 0 && revision === -1 && stream.softDeleted ? append : wrong
    matches.push(match)
  }
  return ids.length === 0 ? wrong : repeated(matches, stream.current)
}

export const checkAppend = (stream: StreamView, expected: Expected, ids: Buffer[]): Decision => {
  if (stream.tombstoned) return deleted
  if (expected === 'no stream') return checkByRevision(stream, -1, ids)
  if (typeof expected === 'bigint') return checkByRevision(stream, Number(expected), ids)
  if (expected === 'stream exists') {
    if (stream.softDeleted) return deleted
    if (stream.current < 0 && !stream.hasMetadata) return wrong
  }
  return checkByIds(stream, ids)
}
