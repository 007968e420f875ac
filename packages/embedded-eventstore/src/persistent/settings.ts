// Defines a persistent subscription: its source, its start, its strategy and its limits.
import type { FilterOptions } from '../streams/read-request.ts'

const strategies = ['DispatchToSingle', 'RoundRobin', 'Pinned', 'PinnedByCorrelation'] as const
export type Strategy = (typeof strategies)[number]

/** The place of an event in the source: its revision in a stream, its position in $all. */
export type Place = number

export type Settings = {
  readonly resolveLinks: boolean
  /** Measures the time that consumers take. */
  readonly extraStatistics: boolean
  /** Time after which an unacknowledged event is sent again; 0: never. */
  readonly messageTimeoutMs: number
  /** Number of retries after which an event is parked. */
  readonly maxRetryCount: number
  readonly checkpointAfterMs: number
  readonly minCheckpointCount: number
  readonly maxCheckpointCount: number
  /** 0: no limit. */
  readonly maxSubscriberCount: number
  readonly liveBufferSize: number
  readonly readBatchSize: number
  /** Limit of waiting events in memory. */
  readonly historyBufferSize: number
  readonly strategy: string
}

export type Source =
  | { readonly kind: 'stream'; readonly streamName: string }
  | { readonly kind: 'all'; readonly filter: FilterOptions | undefined }

export type Definition = {
  readonly source: Source
  readonly groupName: string
  /** The first event, inclusive, as long as there is no checkpoint. */
  readonly startFrom: Place | 'end'
  readonly settings: Settings
}

export const sourceName = (source: Source): string => (source.kind === 'all' ? '$all' : source.streamName)

/** Identifies a group, also in the names of its streams. */
export const keyOf = (streamName: string, groupName: string): string => `${streamName}::${groupName}`
export const definitionKey = ({ source, groupName }: Definition): string => keyOf(sourceName(source), groupName)

export const checkpointStream = (key: string): string => `$persistentsubscription-${key}-checkpoint`
export const parkedStream = (key: string): string => `$persistentsubscription-${key}-parked`

export const isStrategy = (name: string): name is Strategy => (strategies as readonly string[]).includes(name)

/** Why the definition is invalid; undefined when it is valid. `end` is the last place of $all. */
export const faultOf = ({ source, groupName, startFrom, settings }: Definition, end: Place): string | undefined => {
  const { strategy, readBatchSize, historyBufferSize, maxSubscriberCount } = settings
  if (groupName === '') return 'A persistent subscription needs a group name.'
  if (source.kind === 'stream' && source.streamName === '') return 'A persistent subscription needs a stream.'
  if (!isStrategy(strategy)) {
    return `Consumer strategy '${strategy}' does not exist. There are ${strategies.join(', ')}.`
  }
  const counts = [
    ['buffer size', historyBufferSize],
    ['live buffer size', settings.liveBufferSize],
    ['read batch size', readBatchSize],
  ] as const
  for (const [name, count] of counts) if (count <= 0) return `The ${name} is at least 1.`
  if (readBatchSize >= historyBufferSize) {
    return "Specified argument was out of the range of valid values. (Parameter 'ReadBatchSize may not be greater than or equal to BufferSize')"
  }
  if (maxSubscriberCount < 0) return 'The number of subscribers is not negative.'
  if (source.kind === 'all' && startFrom !== 'end' && startFrom > end) {
    return 'Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.'
  }
  return undefined
}
