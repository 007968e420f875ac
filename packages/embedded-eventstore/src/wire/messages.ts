// Decodes the requests of the Streams service that write (field numbers: its published messages).
import {
  createReader,
  MalformedMessage,
  type Reader,
  readBytes,
  readEmpty,
  readFields,
  readI64,
  readMapEntry,
  readNested,
  readStreamIdentifier,
  readU64,
  readUuid,
} from './wire.ts'

export type Expected = 'any' | 'no stream' | 'stream exists' | bigint

export type ProposedEvent = {
  id: Buffer
  type: string | undefined
  contentType: string | undefined
  customMetadata: Buffer
  data: Buffer
}

export type AppendOptions = { streamName: string; expected: Expected | undefined }
export type AppendRequest = { options: AppendOptions } | { event: ProposedEvent } | undefined

type BatchOptions = AppendOptions & { deadlineAtMs: number | undefined }
export type BatchAppendRequest = {
  // The UUID message unchanged: it is echoed byte for byte.
  correlationId: Buffer | undefined
  options: BatchOptions | undefined
  events: ProposedEvent[]
  isFinal: boolean
}

const none = Buffer.alloc(0)

const readMetadataEntry = (reader: Reader, event: ProposedEvent): void => {
  const [key, value] = readMapEntry(reader)
  if (key === 'type') event.type = value
  else if (key === 'content-type') event.contentType = value
}

const readProposedEvent = (reader: Reader): ProposedEvent => {
  const event: ProposedEvent = { id: none, type: undefined, contentType: undefined, customMetadata: none, data: none }
  readNested(reader, (field) => {
    if (field === 1) event.id = readUuid(reader)
    else if (field === 2) readMetadataEntry(reader, event)
    else if (field === 3) event.customMetadata = readBytes(reader)
    else if (field === 4) event.data = readBytes(reader)
    else return false
    return true
  })
  if (event.id === none) throw new MalformedMessage('A proposed event has no id.')
  return event
}

const readExpected = (reader: Reader, field: number): Expected | undefined => {
  if (field === 2) return readU64(reader)
  if (field < 3 || field > 5) return undefined
  readEmpty(reader)
  return field === 3 ? 'no stream' : field === 4 ? 'any' : 'stream exists'
}

const readAppendOptions = (reader: Reader): AppendOptions => {
  const options: AppendOptions = { streamName: '', expected: undefined }
  readNested(reader, (option) => {
    if (option === 1) options.streamName = readStreamIdentifier(reader)
    else {
      const expected = readExpected(reader, option)
      if (expected === undefined) return false
      options.expected = expected
    }
    return true
  })
  return options
}

/** Delete and Tombstone have the same request. */
export const decodeDeleteRequest = (bytes: Uint8Array): AppendOptions => {
  const reader = createReader(bytes)
  let options: AppendOptions = { streamName: '', expected: undefined }
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    options = readAppendOptions(reader)
    return true
  })
  return options
}

export const decodeAppendRequest = (bytes: Uint8Array): AppendRequest => {
  const reader = createReader(bytes)
  let request: AppendRequest
  readFields(reader, reader.len, (field) => {
    if (field === 2) request = { event: readProposedEvent(reader) }
    else if (field === 1) request = { options: readAppendOptions(reader) }
    else return false
    return true
  })
  return request
}

// google.protobuf.Timestamp and Duration have the same two fields.
const readMilliseconds = (reader: Reader): number => {
  let seconds = 0n
  let nanos = 0
  readNested(reader, (field) => {
    if (field === 1) seconds = readI64(reader)
    else if (field === 2) nanos = reader.int32()
    else return false
    return true
  })
  return Number(seconds) * 1000 + nanos / 1e6
}

const readBatchOptions = (reader: Reader, nowMs: number): BatchOptions => {
  const options: BatchOptions = { streamName: '', expected: undefined, deadlineAtMs: undefined }
  readNested(reader, (field) => {
    if (field === 1) options.streamName = readStreamIdentifier(reader)
    else if (field === 6) options.deadlineAtMs = readMilliseconds(reader)
    else if (field === 7) options.deadlineAtMs = nowMs + readMilliseconds(reader)
    else {
      const expected = readExpected(reader, field)
      if (expected === undefined) return false
      options.expected = expected
    }
    return true
  })
  return options
}

export const decodeBatchAppendRequest = (bytes: Uint8Array, nowMs: number): BatchAppendRequest => {
  const reader = createReader(bytes)
  const request: BatchAppendRequest = { correlationId: undefined, options: undefined, events: [], isFinal: false }
  readFields(reader, reader.len, (field) => {
    if (field === 1) request.correlationId = readBytes(reader)
    else if (field === 2) request.options = readBatchOptions(reader, nowMs)
    else if (field === 3) request.events.push(readProposedEvent(reader))
    else if (field === 4) request.isFinal = reader.bool()
    else return false
    return true
  })
  return request
}
