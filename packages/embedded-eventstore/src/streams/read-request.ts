// Decodes ReadReq, the one request of reads and catch-up subscriptions, and refuses combinations EventStoreDB refuses.
import {
  createReader,
  i64Max,
  MalformedMessage,
  type Reader,
  readEmpty,
  readFields,
  readNested,
  readStreamIdentifier,
  readU64,
  u64Max,
} from '../wire/wire.ts'

type From = 'start' | 'end' | number
export type FilterOptions = {
  on: 'stream name' | 'event type'
  regex: string
  prefixes: string[]
  searchWindow: number
  checkpointIntervalMultiplier: number
}
export type ReadRequest = {
  source: { kind: 'stream'; streamName: string; from: From } | { kind: 'all'; from: From }
  direction: 'forwards' | 'backwards'
  resolveLinks: boolean
  // undefined: a subscription.
  count: number | undefined
  filter: FilterOptions | undefined
  idsAs: 'string' | 'structured'
  // The JavaScript client sends 0; from 1 on first and last positions are reported.
  compatibility: number
  // Tests which streams resolved links may show to the reader; all when absent.
  mayRead?: (streamName: string) => boolean
}

export class InvalidRead extends Error {}

const searchWindowDefaultEvents = 32
const regexLengthMax = 2048
const prefixesMax = 2000

export const revisionOf = (value: bigint): From => {
  if (value === u64Max) return 'end'
  if (value > i64Max) throw new InvalidRead('A revision is larger than a stream can have.')
  return Number(value)
}

export const readPosition = (reader: Reader): From => {
  let commit = 0n
  let prepare = 0n
  readNested(reader, (field) => {
    if (field === 1) commit = readU64(reader)
    else if (field === 2) prepare = readU64(reader)
    else return false
    return true
  })
  if (commit === u64Max && prepare === u64Max) return 'end'
  if (commit > i64Max || prepare > commit) throw new InvalidRead('The position is not one that $all can have.')
  return Number(commit)
}

const readFrom = (reader: Reader, field: number, value: (reader: Reader) => From): From | undefined => {
  if (field === 0) return value(reader)
  if (field !== 1 && field !== 2) return undefined
  readEmpty(reader)
  return field === 1 ? 'start' : 'end'
}

type Source = ReadRequest['source']

const readSource = (reader: Reader, kind: Source['kind']): Source => {
  let streamName = ''
  let from: From | undefined
  // `stream` has an identifier before the three start options, `all` has none.
  const first = kind === 'stream' ? 2 : 1
  const value = kind === 'stream' ? (inner: Reader) => revisionOf(readU64(inner)) : readPosition
  readNested(reader, (field) => {
    if (kind === 'stream' && field === 1) {
      streamName = readStreamIdentifier(reader)
      return true
    }
    const found = readFrom(reader, field - first, value)
    if (found === undefined) return false
    from = found
    return true
  })
  if (from === undefined) throw new InvalidRead('The read does not say where it begins.')
  if (kind === 'all') return { kind, from }
  if (streamName === '') throw new InvalidRead('The read names no stream.')
  return { kind, streamName, from }
}

export const readFilter = (reader: Reader): FilterOptions => {
  let on: FilterOptions['on'] | undefined
  let regex = ''
  let searchWindow = searchWindowDefaultEvents
  let checkpointIntervalMultiplier = 0
  const prefixes: string[] = []
  readNested(reader, (field) => {
    if (field === 1 || field === 2) {
      on = field === 1 ? 'stream name' : 'event type'
      readNested(reader, (part) => {
        if (part === 1) regex = reader.string()
        else if (part === 2) prefixes.push(reader.string())
        else return false
        return true
      })
    } else if (field === 3) searchWindow = reader.uint32()
    else if (field === 4) readEmpty(reader)
    else if (field === 5) checkpointIntervalMultiplier = reader.uint32()
    else return false
    return true
  })
  if (on === undefined) throw new InvalidRead('The filter names neither streams nor event types.')
  if (searchWindow < 1) throw new InvalidRead('The search window of a filter is at least 1.')
  if (regex.length > regexLengthMax) {
    throw new InvalidRead(`The regular expression of a filter has at most ${regexLengthMax} characters.`)
  }
  if (prefixes.length > prefixesMax) throw new InvalidRead(`A filter has at most ${prefixesMax} prefixes.`)
  return { on, regex, prefixes, searchWindow, checkpointIntervalMultiplier }
}

type Found = Omit<ReadRequest, 'source' | 'direction' | 'idsAs'> & {
  source: Source | undefined
  direction: number
  subscription: boolean
  filterChosen: boolean
  idsAs: ReadRequest['idsAs'] | undefined
}

const readOption = (reader: Reader, field: number, found: Found): boolean => {
  if (field === 1) found.source = readSource(reader, 'stream')
  else if (field === 2) found.source = readSource(reader, 'all')
  else if (field === 3) found.direction = reader.int32()
  else if (field === 4) found.resolveLinks = reader.bool()
  else if (field === 5) found.count = Number(readU64(reader))
  else if (field === 6) found.subscription = readEmpty(reader)
  else if (field === 7) {
    found.filter = readFilter(reader)
    found.filterChosen = true
  } else if (field === 8) found.filterChosen = readEmpty(reader)
  else if (field === 9) {
    readNested(reader, (form) => {
      if (form !== 1 && form !== 2) return false
      readEmpty(reader)
      found.idsAs = form === 1 ? 'structured' : 'string'
      return true
    })
  } else if (field === 10) {
    readNested(reader, (control) => {
      if (control !== 1) return false
      found.compatibility = reader.uint32()
      return true
    })
  } else return false
  return true
}

const checked = (found: Found): ReadRequest => {
  const { source, subscription, count, filter, idsAs, resolveLinks, compatibility } = found
  if (source === undefined) throw new InvalidRead('The read names neither a stream nor $all.')
  if (subscription === (count !== undefined)) throw new InvalidRead('A read has a count or is a subscription.')
  if (found.direction !== 0 && found.direction !== 1) throw new InvalidRead('The read direction is unknown.')
  const direction = found.direction === 0 ? 'forwards' : 'backwards'
  if (subscription && direction === 'backwards') throw new InvalidRead('A subscription reads forwards only.')
  if (!found.filterChosen) throw new InvalidRead('The read says neither "filter" nor "no filter".')
  if (filter && source.kind === 'stream') throw new InvalidRead('Filters apply to $all only.')
  if (filter && subscription && filter.checkpointIntervalMultiplier < 1) {
    throw new InvalidRead('The checkpoint interval multiplier is at least 1.')
  }
  if (idsAs === undefined) throw new InvalidRead('The read does not say how ids are written.')
  return { source, direction, resolveLinks, count, filter, idsAs, compatibility }
}

export const decodeReadRequest = (bytes: Uint8Array): ReadRequest => {
  const reader = createReader(bytes)
  const found: Found = {
    source: undefined,
    direction: 0,
    resolveLinks: false,
    count: undefined,
    subscription: false,
    filter: undefined,
    filterChosen: false,
    idsAs: undefined,
    compatibility: 0,
  }
  readFields(reader, reader.len, (field) => {
    if (field !== 1) return false
    readNested(reader, (option) => readOption(reader, option, found))
    return true
  })
  if (reader.pos !== reader.len) throw new MalformedMessage('The message has bytes after its end.')
  return checked(found)
}
