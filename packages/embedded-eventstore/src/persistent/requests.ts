// Decodes the requests of the PersistentSubscriptions service (field numbers: its published messages).
import { InvalidRead, readFilter, readPosition, revisionOf } from '../streams/read-request.ts'
import {
  createReader,
  type Reader,
  readEmpty,
  readFields,
  readI64,
  readNested,
  readStreamIdentifier,
  readU64,
  readUuid,
} from '../wire/wire.ts'
import type { Definition, Settings, Source } from './settings.ts'

/** Identifies a group: `$all` is a separate source, not a stream name. */
export type GroupName = { streamName: string; groupName: string; isAll: boolean }

const enumStrategies = ['DispatchToSingle', 'RoundRobin', 'Pinned']
// .NET ticks of 100 ns.
const ticksPerMs = 10_000

type Found = {
  -readonly [Key in keyof Settings]: Settings[Key]
} & { streamName: string | undefined; all: boolean; groupName: string; startFrom: number | 'end'; filter: Filter }
type Filter = Extract<Source, { kind: 'all' }>['filter']

const readSetting = (reader: Reader, field: number, found: Found): boolean => {
  if (field === 1) found.resolveLinks = reader.bool()
  else if (field === 2) found.startFrom = startOf(revisionOf(readU64(reader)))
  else if (field === 3) found.extraStatistics = reader.bool()
  else if (field === 4) found.messageTimeoutMs = Number(readI64(reader)) / ticksPerMs
  else if (field === 5) found.maxRetryCount = reader.int32()
  else if (field === 6) found.checkpointAfterMs = Number(readI64(reader)) / ticksPerMs
  else if (field === 7) found.minCheckpointCount = reader.int32()
  else if (field === 8) found.maxCheckpointCount = reader.int32()
  else if (field === 9) found.maxSubscriberCount = reader.int32()
  else if (field === 10) found.liveBufferSize = reader.int32()
  else if (field === 11) found.readBatchSize = reader.int32()
  else if (field === 12) found.historyBufferSize = reader.int32()
  else if (field === 13) {
    const number = reader.int32()
    found.strategy ||= enumStrategies[number] ?? `number ${number}`
  } else if (field === 14) found.messageTimeoutMs = reader.int32()
  else if (field === 15) found.checkpointAfterMs = reader.int32()
  else if (field === 16) found.strategy = reader.string()
  else return false
  return true
}

const startOf = (from: number | 'start' | 'end'): number | 'end' => (from === 'start' ? 0 : from)

const readStart = (reader: Reader, field: number, found: Found): boolean => {
  if (field !== 2 && field !== 3) return false
  readEmpty(reader)
  found.startFrom = field === 2 ? 0 : 'end'
  return true
}

const readStreamOptions = (reader: Reader, found: Found): void =>
  readNested(reader, (field) => {
    if (field === 1) found.streamName = readStreamIdentifier(reader)
    else if (field === 2) found.startFrom = startOf(revisionOf(readU64(reader)))
    else return readStart(reader, field - 1, found)
    return true
  })

const readAllOptions = (reader: Reader, found: Found): void => {
  found.all = true
  readNested(reader, (field) => {
    if (field === 1) found.startFrom = startOf(readPosition(reader))
    else if (field === 4) found.filter = readFilter(reader)
    else if (field === 5) readEmpty(reader)
    else return readStart(reader, field, found)
    return true
  })
}

/** Create and Update have the same fields; an update has no filter. */
export const decodeDefinition = (bytes: Uint8Array): Definition => {
  const reader = createReader(bytes)
  const found: Found = {
    streamName: undefined,
    all: false,
    groupName: '',
    startFrom: 0,
    filter: undefined,
    resolveLinks: false,
    extraStatistics: false,
    messageTimeoutMs: 0,
    maxRetryCount: 0,
    checkpointAfterMs: 0,
    minCheckpointCount: 0,
    maxCheckpointCount: 0,
    maxSubscriberCount: 0,
    liveBufferSize: 0,
    readBatchSize: 0,
    historyBufferSize: 0,
    strategy: '',
  }
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (option) => {
      if (option === 1) found.streamName = readStreamIdentifier(reader)
      else if (option === 2) found.groupName = reader.string()
      else if (option === 3) readNested(reader, (setting) => readSetting(reader, setting, found))
      else if (option === 4) readStreamOptions(reader, found)
      else if (option === 5) readAllOptions(reader, found)
      else return false
      return true
    })
    return true
  })
  const { streamName, all, groupName, startFrom, filter, ...settings } = found
  if (all === (streamName !== undefined)) throw new InvalidRead('The request is about a stream or about $all.')
  const source: Source = streamName === undefined ? { kind: 'all', filter } : { kind: 'stream', streamName }
  // The enum value 0 is not sent.
  return { source, groupName, startFrom, settings: { ...settings, strategy: settings.strategy || 'DispatchToSingle' } }
}

/** The field numbers of a request that names a group. */
type Fields = { readonly stream: number; readonly all: number; readonly group: number }
export const deleteFields: Fields = { stream: 1, all: 3, group: 2 }
export const infoFields: Fields = { stream: 1, all: 2, group: 3 }
const replayFields: Fields = { stream: 2, all: 3, group: 1 }
const subscribeFields: Fields = { stream: 1, all: 5, group: 2 }

const readGroupName = (reader: Reader, field: number, fields: Fields, found: Partial<GroupName>): boolean => {
  if (field === fields.stream) found.streamName = readStreamIdentifier(reader)
  else if (field === fields.all) {
    found.isAll = readEmpty(reader)
    found.streamName = '$all'
  } else if (field === fields.group) found.groupName = reader.string()
  else return false
  return true
}

const named = ({ streamName, groupName, isAll = false }: Partial<GroupName>): GroupName => {
  if (!streamName) throw new InvalidRead('The request is about a stream or about $all.')
  if (!groupName) throw new InvalidRead('The request names no group.')
  return { streamName, groupName, isAll }
}

export const decodeGroupName = (bytes: Uint8Array, fields: Fields): GroupName => {
  const reader = createReader(bytes)
  const found: Partial<GroupName> = {}
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (option) => readGroupName(reader, option, fields, found))
    return true
  })
  return named(found)
}

/** `stopAt` limits the number of replayed events; undefined: all. */
export const decodeReplay = (bytes: Uint8Array): GroupName & { stopAt: number | undefined } => {
  const reader = createReader(bytes)
  const found: Partial<GroupName> = {}
  let stopAt: number | undefined
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (option) => {
      if (option === 4) stopAt = Number(readI64(reader))
      else if (option === 5) readEmpty(reader)
      else return readGroupName(reader, option, replayFields, found)
      return true
    })
    return true
  })
  return { ...named(found), stopAt }
}

/** The stream whose groups are listed; undefined: all groups. */
export const decodeList = (bytes: Uint8Array): string | undefined => {
  const reader = createReader(bytes)
  let streamName: string | undefined
  const readStream = (option: number): boolean => {
    if (option === 1) streamName = readStreamIdentifier(reader)
    else if (option === 2) {
      readEmpty(reader)
      streamName = '$all'
    } else return false
    return true
  }
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (option) => {
      if (option === 1) readEmpty(reader)
      else if (option === 2) readNested(reader, readStream)
      else return false
      return true
    })
    return true
  })
  return streamName
}

export type Action = 'unknown' | 'park' | 'retry' | 'skip' | 'stop'
const actions: Action[] = ['unknown', 'park', 'retry', 'skip', 'stop']

export type ConsumerRequest =
  | ({ kind: 'subscribe'; bufferSize: number; idsAs: 'string' | 'structured' } & GroupName)
  | { kind: 'ack'; ids: Buffer[] }
  | { kind: 'nack'; ids: Buffer[]; action: Action; reason: string }

const readSubscribe = (reader: Reader): ConsumerRequest => {
  const found: Partial<GroupName> = {}
  let bufferSize = 0
  let idsAs: 'string' | 'structured' = 'string'
  readNested(reader, (option) => {
    if (option === 3) bufferSize = reader.int32()
    else if (option === 4) {
      readNested(reader, (form) => {
        if (form !== 1 && form !== 2) return false
        idsAs = form === 1 ? 'structured' : 'string'
        return readEmpty(reader)
      })
    } else return readGroupName(reader, option, subscribeFields, found)
    return true
  })
  if (bufferSize < 1) throw new InvalidRead('The buffer of a consumer holds at least 1 event.')
  return { kind: 'subscribe', ...named(found), bufferSize, idsAs }
}

const readAck = (reader: Reader): ConsumerRequest => {
  const ids: Buffer[] = []
  readNested(reader, (field) => {
    if (field !== 2) return false
    ids.push(readUuid(reader))
    return true
  })
  return { kind: 'ack', ids }
}

const readNack = (reader: Reader): ConsumerRequest => {
  const ids: Buffer[] = []
  let action: Action = 'unknown'
  let reason = ''
  readNested(reader, (field) => {
    if (field === 2) ids.push(readUuid(reader))
    else if (field === 3) action = actions[reader.int32()] ?? 'unknown'
    else if (field === 4) reason = reader.string()
    else return false
    return true
  })
  return { kind: 'nack', ids, action, reason }
}

/** A consumer's message: first its options, then its answers to events. */
export const decodeConsumerRequest = (bytes: Uint8Array): ConsumerRequest => {
  const reader = createReader(bytes)
  let request: ConsumerRequest | undefined
  readFields(reader, reader.len, (field) => {
    if (field === 1) request = readSubscribe(reader)
    else if (field === 2) request = readAck(reader)
    else if (field === 3) request = readNack(reader)
    else return false
    return true
  })
  if (!request) throw new InvalidRead('The message says neither who subscribes nor what became of events.')
  return request
}
