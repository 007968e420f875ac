// Parses a stream's metadata: its retention and its access lists.

/** Lists of users and groups; undefined for the default. */
export type StreamAcl = Partial<Record<'read' | 'write' | 'delete' | 'metaRead' | 'metaWrite', readonly string[]>>

export type StreamMetadata = {
  /** False when the stream has no metadata. */
  readonly exists: boolean
  /** Events before this revision are hidden. */
  readonly truncateBefore: number
  /** Number of last events that are readable. */
  readonly maxCount: number
  /** Older events are hidden. */
  readonly maxAgeMs: number
  /** How long HTTP/1.1 pages may be cached; undefined: not at all. */
  readonly cacheControlSeconds: number | undefined
  readonly acl: StreamAcl | undefined
}

const withoutLimits: StreamMetadata = {
  exists: false,
  truncateBefore: 0,
  maxCount: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
  cacheControlSeconds: undefined,
  acl: undefined,
}

export const noMetadata = withoutLimits
/** A metadata stream has no metadata of its own: only its last event is readable. */
export const ofMetastreams: StreamMetadata = { ...withoutLimits, maxCount: 1 }

/** int64's maximum, the `$tb` of a deleted stream, as JavaScript parses it. */
const deletedBefore = 2 ** 63
/** The same as text, because no JavaScript number has this value. */
export const softDeletedJson = '{"$tb":9223372036854775807}'

export const isSoftDeleted = ({ truncateBefore }: StreamMetadata): boolean => truncateBefore >= deletedBefore

const metastreamPrefix = '$$'
export const isMetastream = (streamName: string): boolean => streamName.startsWith(metastreamPrefix)
export const metastreamOf = (streamName: string): string => metastreamPrefix + streamName
export const originalOf = (metastreamName: string): string => metastreamName.slice(metastreamPrefix.length)

class IgnoredMetadata extends Error {}

const integer = (value: unknown, min: number): number | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new IgnoredMetadata()
  return value >= min ? value : undefined
}

const names = (value: unknown): readonly string[] | undefined => {
  if (value === undefined) return undefined
  const list: unknown = typeof value === 'string' ? [value] : value
  if (!Array.isArray(list) || !list.every((name) => typeof name === 'string')) throw new IgnoredMetadata()
  return list
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const readAcl = (value: unknown): StreamAcl | undefined => {
  if (value === undefined) return undefined
  if (!isObject(value)) throw new IgnoredMetadata()
  const lists = {
    read: names(value.$r),
    write: names(value.$w),
    delete: names(value.$d),
    metaRead: names(value.$mr),
    metaWrite: names(value.$mw),
  }
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined))
}

/** The parsed object; undefined for anything else. */
export const parseObject = (json: Buffer): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Unreadable metadata counts as empty, and limits that are not positive are ignored. */
export const parseMetadata = (json: Buffer): StreamMetadata => {
  const empty = { ...withoutLimits, exists: true }
  const value = parseObject(json)
  if (!value) return empty
  try {
    return {
      exists: true,
      truncateBefore: integer(value.$tb, 0) ?? empty.truncateBefore,
      maxCount: integer(value.$maxCount, 1) ?? empty.maxCount,
      maxAgeMs: (integer(value.$maxAge, 1) ?? empty.maxAgeMs) * 1_000,
      cacheControlSeconds: integer(value.$cacheControl, 1),
      acl: readAcl(value.$acl),
    }
  } catch {
    return empty
  }
}

/** The same metadata for a stream that is recreated at `revision`. */
export const undeleted = (json: Buffer, revision: number): Buffer =>
  Buffer.from(JSON.stringify({ ...parseObject(json), $tb: revision }))
