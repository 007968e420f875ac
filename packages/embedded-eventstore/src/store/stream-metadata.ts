// What a stream's metadata says: how much of the stream is still to be read, and by whom (§2.7).

/** Lists of users and groups; undefined where the default holds. */
export type StreamAcl = Partial<Record<'read' | 'write' | 'delete' | 'metaRead' | 'metaWrite', readonly string[]>>

export type StreamMetadata = {
  /** Whether there is any. */
  readonly exists: boolean
  /** Events before this revision are not read. */
  readonly truncateBefore: number
  /** So many of the last events are read. */
  readonly maxCount: number
  /** Older events are not read. */
  readonly maxAgeMs: number
  /** Pages over HTTP/1.1 may be kept for so long; undefined: not at all. */
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
/** A metadata stream has none of its own: its last event counts. */
export const ofMetastreams: StreamMetadata = { ...withoutLimits, maxCount: 1 }

/** int64's maximum, which a deleted stream is truncated before, as JavaScript reads it. */
const deletedBefore = 2 ** 63
/** The same as text; JavaScript has no number for it. */
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

/** The object that `json` holds; undefined when it holds none. */
export const parseObject = (json: Buffer): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What nobody can read counts as if it were empty, as do limits that are not positive. */
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

/** The same metadata, for a stream that begins again at `revision`. */
export const undeleted = (json: Buffer, revision: number): Buffer =>
  Buffer.from(JSON.stringify({ ...parseObject(json), $tb: revision }))
