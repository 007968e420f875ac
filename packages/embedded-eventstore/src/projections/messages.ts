// The messages of the Projections service (field numbers: projections.proto).
import { message } from '../streams/replies.ts'
import { createReader, type Reader, readEmpty, readFields, readNested, writeNested, writeString } from '../wire/wire.ts'

export type Named = { name: string }

// Every request is { options = 1 { ... } }.
const readOptions = (bytes: Uint8Array, option: (reader: Reader, field: number) => boolean): void => {
  const reader = createReader(bytes)
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (inner) => option(reader, inner))
    return true
  })
}

/** DeleteReq, EnableReq, ResetReq, StateReq, ResultReq: only the name is used. */
export const decodeNamed = (bytes: Uint8Array): Named => {
  const request = { name: '' }
  readOptions(bytes, (reader, field) => {
    if (field !== 1) return false
    request.name = reader.string()
    return true
  })
  return request
}

export const decodeDisable = (bytes: Uint8Array): Named & { writeCheckpoint: boolean } => {
  const request = { name: '', writeCheckpoint: false }
  readOptions(bytes, (reader, field) => {
    if (field === 1) request.name = reader.string()
    else if (field === 2) request.writeCheckpoint = reader.bool()
    else return false
    return true
  })
  return request
}

export const decodeUpdate = (bytes: Uint8Array): Named & { query: string } => {
  const request = { name: '', query: '' }
  readOptions(bytes, (reader, field) => {
    if (field === 1) request.name = reader.string()
    else if (field === 2) request.query = reader.string()
    else return false
    return true
  })
  return request
}

const modes = { 2: 'all', 3: 'transient', 4: 'continuous', 5: 'one time' } as const
type StatisticsRequest = Named & { mode: (typeof modes)[keyof typeof modes] }

/** With a name, the mode is ignored. */
export const decodeStatistics = (bytes: Uint8Array): StatisticsRequest => {
  const request: StatisticsRequest = { name: '', mode: 'all' }
  readOptions(bytes, (reader, field) => {
    if (field === 1) request.name = reader.string()
    else if (field === 2 || field === 3 || field === 4 || field === 5) {
      readEmpty(reader)
      request.mode = modes[field]
    } else return false
    return true
  })
  return request
}

/** StatisticsResp.Details, fields in the order of their numbers. */
export type Details = {
  coreProcessingTime: number
  version: number
  epoch: number
  effectiveName: string
  writesInProgress: number
  readsInProgress: number
  partitionsCached: number
  status: string
  stateReason: string
  name: string
  mode: string
  position: string
  /** Percent. */
  progress: number
  lastCheckpoint: string
  eventsProcessedAfterRestart: number
  checkpointStatus: string
  bufferedEvents: number
  writePendingEventsBeforeCheckpoint: number
  writePendingEventsAfterCheckpoint: number
}

export const encodeStatistics = (details: Details): Buffer =>
  message((writer) =>
    writeNested(writer, 1, (out) => {
      const int64 = (field: number, value: number) => out.uint32(field << 3).int64(value)
      const int32 = (field: number, value: number) => out.uint32(field << 3).int32(value)
      const float = (field: number, value: number) => out.uint32((field << 3) | 5).float(value)
      int64(1, details.coreProcessingTime)
      int64(2, details.version)
      int64(3, details.epoch)
      writeString(out, 4, details.effectiveName)
      int32(5, details.writesInProgress)
      int32(6, details.readsInProgress)
      int32(7, details.partitionsCached)
      writeString(out, 8, details.status)
      writeString(out, 9, details.stateReason)
      writeString(out, 10, details.name)
      writeString(out, 11, details.mode)
      writeString(out, 12, details.position)
      float(13, details.progress)
      writeString(out, 14, details.lastCheckpoint)
      int64(15, details.eventsProcessedAfterRestart)
      writeString(out, 16, details.checkpointStatus)
      int64(17, details.bufferedEvents)
      int32(18, details.writePendingEventsBeforeCheckpoint)
      int32(19, details.writePendingEventsAfterCheckpoint)
    }),
  )

/** StateResp and ResultResp alike: a google.protobuf.Value that is an object without properties. */
export const emptyState: Buffer = message((writer) =>
  writeNested(writer, 1, (value) => writeNested(value, 5, () => {})),
)
