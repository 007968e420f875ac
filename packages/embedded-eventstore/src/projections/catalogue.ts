// The five system projections: the events that each links, and the target streams, by EventStoreDB's rules.
import { type Recorded, tombstoneRevision } from '../store/record.ts'
import { isMetastream, isSoftDeleted, originalOf, parseMetadata, parseObject } from '../store/stream-metadata.ts'
import { i64Max } from '../wire/wire.ts'

/** An event as input of projections. */
export type SourceEvent = {
  readonly position: number
  readonly streamName: string
  readonly revision: number
  readonly type: string
  /** Decodes the event; not every projection needs it. */
  readonly recorded: () => Recorded
}

/** The result of an event: one event in another stream. */
export type Emitted = {
  readonly streamName: string
  readonly type: '$>' | '$@'
  readonly data: string
  /** Metadata besides its origin. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** undefined: the event is not linked. */
export type Rule = (event: SourceEvent) => Emitted | undefined

export type SystemProjection = {
  readonly name: string
  /** Part of the metadata of emitted events. */
  readonly number: number
  /** The name of its code in EventStoreDB. */
  readonly handler: string
  /** Its default configuration. */
  readonly source: string
  /** A second stream for its checkpoints. */
  readonly checkpointCopy?: string
  /** @throws {InvalidSource} when `source` is not understood */
  readonly rule: (source: string) => Rule
}

export class InvalidSource extends Error {}

const linkType = '$>'
const correlationIdMaxBytes = 2_000

const isSystemStream = (streamName: string): boolean => streamName.startsWith('$')

/** False for system streams and emitted events; metadata of users' streams is projected. */
const isOfUsers = (streamName: string): boolean =>
  !isSystemStream(streamName) || (isMetastream(streamName) && !isSystemStream(originalOf(streamName)))

const targetOf = (revision: number, streamName: string): string =>
  `${revision === tombstoneRevision ? i64Max : revision}@${streamName}`

/** The stream that the event deletes, if any. */
const deletedBy = ({ streamName, type, recorded }: SourceEvent): string | undefined => {
  if (!isMetastream(streamName)) return type === '$streamDeleted' ? streamName : undefined
  return type === '$metadata' && isSoftDeleted(parseMetadata(recorded().data)) ? originalOf(streamName) : undefined
}

const forUsers =
  (rule: Rule): Rule =>
  (event) =>
    isOfUsers(event.streamName) ? rule(event) : undefined

const withoutSource =
  (rule: Rule) =>
  (source: string): Rule => {
    if (source.trim() !== '') throw new InvalidSource('This projection is not configured: its query must be empty.')
    return forUsers(rule)
  }

const categoryFormat =
  'The query says where a category ends: "first" or "last", and on the next line one character, as in "first\\n-".'

/** The category of a stream by its name; undefined when it has none. */
const categories = (source: string): ((streamName: string) => string | undefined) => {
  const match = /^(?:(first|last)[ \t]*\r?\n)?(\S)$/i.exec(source.trim())
  if (!match?.[2]) throw new InvalidSource(categoryFormat)
  const [, direction = 'last', separator] = match
  const end = direction.toLowerCase() === 'first' ? 'indexOf' : 'lastIndexOf'
  return (streamName) => {
    const at = isSystemStream(streamName) ? 0 : streamName[end](separator)
    return at > 0 ? streamName.slice(0, at) : undefined
  }
}

const correlationIdProperty = (source: string): string => {
  if (source.trim() === '') return '$correlationId'
  const property = parseObject(Buffer.from(source))?.correlationIdProperty
  if (typeof property !== 'string')
    throw new InvalidSource('The query says which property of metadata it is: {"correlationIdProperty":"..."}.')
  return property
}

const streams: SystemProjection = {
  name: '$streams',
  number: 1,
  handler: 'IndexStreams',
  source: '',
  rule: withoutSource(({ revision, streamName }) =>
    revision === 0
      ? { streamName: '$streams', type: linkType, data: targetOf(revision, streamName), extra: {} }
      : undefined,
  ),
}

const streamByCategory: SystemProjection = {
  name: '$stream_by_category',
  number: 2,
  handler: 'CategorizeStreamByPath',
  source: 'first\n-',
  rule: (source) => {
    const categoryOf = categories(source)
    return forUsers(({ revision, streamName }) => {
      const category = revision === 0 ? categoryOf(streamName) : undefined
      return category === undefined
        ? undefined
        : { streamName: `$category-${category}`, type: '$@', data: streamName, extra: {} }
    })
  },
}

const byCategory: SystemProjection = {
  name: '$by_category',
  number: 3,
  handler: 'CategorizeEventsByStreamPath',
  source: 'first\n-',
  rule: (source) => {
    const categoryOf = categories(source)
    return forUsers((event) => {
      const { streamName, revision, type, recorded } = event
      const deleted = deletedBy(event)
      const original = deleted ?? streamName
      const category = categoryOf(original)
      if (category === undefined) return undefined
      return {
        streamName: `$ce-${category}`,
        type: linkType,
        // A link in a users' stream is resolved, not linked.
        data: type === linkType ? recorded().data.toString('utf8') : targetOf(revision, streamName),
        extra: deleted === undefined ? { $o: original } : { $o: original, $deleted: -1 },
      }
    })
  },
}

const byEventType: SystemProjection = {
  name: '$by_event_type',
  number: 4,
  handler: 'IndexEventsByEventType',
  source: '',
  checkpointCopy: '$et',
  rule: withoutSource((event) => {
    const { streamName, revision, type } = event
    if (type === linkType) return undefined
    const deleted = deletedBy(event)
    return {
      streamName: `$et-${deleted === undefined ? type : '$deleted'}`,
      type: linkType,
      // Sic: a metadata event is linked as an event of the stream it describes.
      data: targetOf(revision, isMetastream(streamName) ? originalOf(streamName) : streamName),
      extra: deleted === undefined ? {} : { $deleted: -1 },
    }
  }),
}

const byCorrelationId: SystemProjection = {
  name: '$by_correlation_id',
  number: 5,
  handler: 'ByCorrelationId',
  source: '',
  rule: (source) => {
    const property = correlationIdProperty(source)
    return forUsers(({ streamName, revision, type, recorded }) => {
      if (type === linkType) return undefined
      const { customMetadata, createdAtMs } = recorded()
      const value = parseObject(customMetadata)?.[property]
      if (typeof value !== 'string' && typeof value !== 'number') return undefined
      const correlationId = String(value).toWellFormed()
      if (Buffer.byteLength(correlationId) > correlationIdMaxBytes) return undefined
      return {
        streamName: `$bc-${correlationId}`,
        type: linkType,
        data: targetOf(revision, streamName),
        extra: { $eventTimestamp: new Date(createdAtMs).toISOString().replace(/Z$/, '000Z') },
      }
    })
  },
}

export const systemProjections: readonly SystemProjection[] = [
  streams,
  streamByCategory,
  byCategory,
  byEventType,
  byCorrelationId,
]
