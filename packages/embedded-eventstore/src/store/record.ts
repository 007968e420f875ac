// The stored form of an event: its 16-byte ID, then the encoded RecordedEvent without the ID, ready to be copied into answers.
import type { ProposedEvent } from '../wire/messages.ts'
import {
  createReader,
  createWriter,
  i64Max,
  readBytes,
  readFields,
  readMapEntry,
  uuidBytes,
  writeBytes,
  writeNested,
  writeStreamIdentifier,
  writeString,
  writeU64,
} from '../wire/wire.ts'

// Readers choose the format of IDs, so the ID cannot be part of the stored encoding.
export type Place = { streamName: string; revision: number; position: number; createdAtMs: number }

/** The revision of a tombstone: int64's maximum in the protocol, stored as the largest safe integer of JavaScript. */
export const tombstoneRevision = Number.MAX_SAFE_INTEGER

const json = 'application/json'
const binary = 'application/octet-stream'
// .NET ticks of 100 ns, counted from the Unix epoch.
const ticksPerMs = 10_000
const nothing: Buffer = Buffer.alloc(0)

export const encodeRecord = (event: ProposedEvent & { type: string }, place: Place): Buffer => {
  const writer = createWriter()
  const entry = (key: string, value: string) =>
    writeNested(writer, 6, (map) => writeString(writeString(map, 1, key), 2, value))
  writeStreamIdentifier(writer, 2, place.streamName)
  writeU64(writer, 3, place.revision === tombstoneRevision ? i64Max : place.revision)
  writeU64(writer, 4, place.position)
  writeU64(writer, 5, place.position)
  entry('type', event.type)
  entry('content-type', event.contentType === json ? json : binary)
  entry('created', String(place.createdAtMs * ticksPerMs))
  if (event.customMetadata.length > 0) writeBytes(writer, 7, event.customMetadata)
  if (event.data.length > 0) writeBytes(writer, 8, event.data)
  const encoded = writer.finish()
  const record = Buffer.allocUnsafe(uuidBytes + encoded.length)
  event.id.copy(record)
  record.set(encoded, uuidBytes)
  return record
}

export type Recorded = {
  readonly type: string
  readonly isJson: boolean
  readonly createdAtMs: number
  readonly customMetadata: Buffer
  readonly data: Buffer
}

/** The fields of `record` without ID and place. */
export const decodeRecord = (record: Buffer): Recorded => {
  const reader = createReader(record.subarray(uuidBytes))
  const entries: Record<string, string> = {}
  let customMetadata: Buffer = nothing
  let data: Buffer = nothing
  readFields(reader, reader.len, (field) => {
    if (field === 6) {
      const [key, value] = readMapEntry(reader)
      entries[key] = value
    } else if (field === 7) customMetadata = readBytes(reader)
    else if (field === 8) data = readBytes(reader)
    else return false
    return true
  })
  return {
    type: entries.type ?? '',
    isJson: entries['content-type'] === json,
    createdAtMs: Number(entries.created) / ticksPerMs,
    customMetadata,
    data,
  }
}

// A link's data is `N@stream`.
export const linkTarget = (record: Buffer): { streamName: string; revision: number } | undefined => {
  const match = /^(\d{1,15})@(.+)$/s.exec(decodeRecord(record).data.toString('utf8'))
  return match?.[1] && match[2] ? { revision: Number(match[1]), streamName: match[2] } : undefined
}

const hexadecimal = Buffer.from('0123456789abcdef', 'latin1')
const dashesBefore = new Set([4, 6, 8, 10])
// RecordedEvent.id = UUID{string=2}: two tags, two lengths, 36 characters.
const stringIdBytes = 40

const writeStringId = (out: Buffer, start: number, record: Buffer): number => {
  let at = start
  out[at++] = 0x0a
  out[at++] = 38
  out[at++] = 0x12
  out[at++] = 36
  for (let index = 0; index < uuidBytes; index++) {
    if (dashesBefore.has(index)) out[at++] = 0x2d
    const byte = record[index] as number
    out[at++] = hexadecimal[byte >> 4] as number
    out[at++] = hexadecimal[byte & 15] as number
  }
  return at
}

const structuredId = (record: Buffer): Uint8Array => {
  const writer = createWriter()
  writeNested(writer, 1, (id) =>
    writeNested(id, 1, (halves) => {
      writeU64(halves, 1, record.readBigUInt64BE(0))
      writeU64(halves, 2, record.readBigUInt64BE(8))
    }),
  )
  return writer.finish()
}

const varintBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

const writeVarint = (out: Buffer, start: number, value: number): number => {
  let at = start
  let rest = value
  while (rest >= 128) {
    out[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  out[at++] = rest
  return at
}

type Part = { tag: number; record: Buffer; id: Uint8Array | undefined; length: number }

const part = (tag: number, record: Buffer, idsAs: 'string' | 'structured'): Part => {
  const id = idsAs === 'structured' ? structuredId(record) : undefined
  return { tag, record, id, length: (id ? id.length : stringIdBytes) + record.length - uuidBytes }
}

const writePart = (out: Buffer, start: number, { tag, record, id, length }: Part): number => {
  out[start] = tag
  let at = writeVarint(out, start + 1, length)
  if (id) {
    out.set(id, at)
    at += id.length
  } else at = writeStringId(out, at, record)
  return at + record.copy(out, at, uuidBytes)
}

export type SentEvent = {
  readonly position: number
  readonly event: Buffer | undefined
  readonly link: Buffer | undefined
  /** Number of earlier failed attempts, in a persistent subscription. */
  readonly retryCount?: number
}

// ReadResp{event=1: ReadEvent{event=1, link=2, commit_position=3, retry_count=5}}, written by hand for speed, because reads dominate.
export const encodeReadEvent = (
  { position, event, link, retryCount }: SentEvent,
  idsAs: 'string' | 'structured',
): Buffer => {
  const parts: Part[] = []
  if (event) parts.push(part(0x0a, event, idsAs))
  if (link) parts.push(part(0x12, link, idsAs))
  let content = 1 + varintBytes(position)
  if (retryCount !== undefined) content += 1 + varintBytes(retryCount)
  for (const { length } of parts) content += 1 + varintBytes(length) + length
  const out = Buffer.allocUnsafe(1 + varintBytes(content) + content)
  out[0] = 0x0a
  let at = writeVarint(out, 1, content)
  for (const each of parts) at = writePart(out, at, each)
  out[at] = 0x18
  at = writeVarint(out, at + 1, position)
  if (retryCount !== undefined) {
    out[at] = 0x28
    writeVarint(out, at + 1, retryCount)
  }
  return out
}
