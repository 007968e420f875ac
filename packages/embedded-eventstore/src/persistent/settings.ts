// What a persistent subscription is: whose events it hands out, from where on, how, and for how long it waits (§2.11).
import type { FilterOptions } from '../streams/read-request.ts'

const strategies = ['DispatchToSingle', 'RoundRobin', 'Pinned', 'PinnedByCorrelation'] as const
export type Strategy = (typeof strategies)[number]

/** The place of an event in the source: its revision in a stream, its position in $all. */
export type Place = number

export type Settings = {
  readonly resolveLinks: boolean
  /** Measures how long consumers take. */
  readonly extraStatistics: boolean
  /** An event that is not acknowledged for so long is handed out again; 0: never. */
  readonly messageTimeoutMs: number
  /** An event that was handed out again so often is parked. */
  readonly maxRetryCount: number
  readonly checkpointAfterMs: number
  readonly minCheckpointCount: number
  readonly maxCheckpointCount: number
  /** 0: no limit. */
  readonly maxSubscriberCount: number
  readonly liveBufferSize: number
  readonly readBatchSize: number
  /** So many events wait in memory at most. */
  readonly historyBufferSize: number
  readonly strategy: string
}

export type Source =
  | { readonly kind: 'stream'; readonly streamName: string }
  | { readonly kind: 'all'; readonly filter: FilterOptions | undefined }

export type Definition = {
  readonly source: Source
  readonly groupName: string
  /** The first event that is handed out, itself included, as long as there is no checkpoint. */
  readonly startFrom: Place | 'end'
  readonly settings: Settings
}

export const sourceName = (source: Source): string => (source.kind === 'all' ? '$all' : source.streamName)

/** By which a group is known, and its streams are named. */
export const keyOf = (streamName: string, groupName: string): string => `${streamName}::${groupName}`
export const definitionKey = ({ source, groupName }: Definition): string => keyOf(sourceName(source), groupName)

export const checkpointStream = (key: string): string => `$persistentsubscription-${key}-checkpoint`
export const parkedStream = (key: string): string => `$persistentsubscription-${key}-parked`

export const isStrategy = (name: string): name is Strategy => (strategies as readonly string[]).includes(name)

/** Why there can be no such subscription; undefined when there can. `end` is the last place of $all. */
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
