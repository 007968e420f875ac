// The five system projections: which events each of them links, and where to; the rules are EventStoreDB's (§2.12).
import { type Recorded, tombstoneRevision } from '../store/record.ts'
import { isMetastream, isSoftDeleted, originalOf, parseMetadata, parseObject } from '../store/stream-metadata.ts'
import { i64Max } from '../wire/wire.ts'

/** An event as projections see it. */
export type SourceEvent = {
  readonly position: number
  readonly streamName: string
  readonly revision: number
  readonly type: string
  /** Decodes it; not every projection has to. */
  readonly recorded: () => Recorded
}

/** What follows from an event: one event in another stream. */
export type Emitted = {
  readonly streamName: string
  readonly type: '$>' | '$@'
  readonly data: string
  /** What its metadata says besides where it comes from. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** undefined: nothing follows. */
export type Rule = (event: SourceEvent) => Emitted | undefined

export type SystemProjection = {
  readonly name: string
  /** Stands in the metadata of what it emits. */
  readonly number: number
  /** What EventStoreDB calls the code of it. */
  readonly handler: string
  /** How it is configured unless somebody says otherwise. */
  readonly source: string
  /** Where its checkpoints are written a second time. */
  readonly checkpointCopy?: string
  /** @throws {InvalidSource} when nobody can tell what `source` means */
  readonly rule: (source: string) => Rule
}

export class InvalidSource extends Error {}

const linkType = '$>'
const correlationIdMaxBytes = 2_000

const isSystemStream = (streamName: string): boolean => streamName.startsWith('$')

/** Streams of the system are not projected, nor what projections emit; the metadata of users' streams is. */
const isOfUsers = (streamName: string): boolean =>
  !isSystemStream(streamName) || (isMetastream(streamName) && !isSystemStream(originalOf(streamName)))

const targetOf = (revision: number, streamName: string): string =>
  `${revision === tombstoneRevision ? i64Max : revision}@${streamName}`

/** The stream that the event deletes; undefined when it deletes none. */
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
        // A link in a stream of users is followed, not linked.
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
      // (sic) What metadata says is linked as an event of the stream that it is about.
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
