// Interns stream names and event types as small integers, and caches the head and the metadata of each stream.
import type { Database } from './database.ts'
import { decodeRecord, tombstoneRevision } from './record.ts'
import {
  isMetastream,
  isSoftDeleted,
  metastreamOf,
  noMetadata,
  ofMetastreams,
  originalOf,
  parseMetadata,
  type StreamMetadata,
} from './stream-metadata.ts'

const remembered = { streamsMax: 50_000, typesMax: 10_000 }

/**
 * The head of a stream, which may be missing.
 * @property stream undefined when no event was ever written to it
 * @property revision of its last event; -1 without events; `tombstoneRevision` when it was tombstoned
 */
export type Head = {
  readonly stream: number | undefined
  readonly revision: number
  readonly metadata: StreamMetadata
}

/** Headwater's snapshots (docs/decisions/024): personal data, whose old events are removed at once. */
export const isSnapshot = (streamName: string): boolean => streamName.startsWith('snapshot_')

/** True when readers get "stream not found". */
export const isMissing = ({ revision, metadata }: Head): boolean => revision < 0 || isSoftDeleted(metadata)

/** The first readable revision, without regard to age. A tombstone is never hidden. */
export const firstRevision = ({ revision, metadata }: Head): number =>
  Math.min(tombstoneRevision, Math.max(0, metadata.truncateBefore, revision - metadata.maxCount + 1))

const remember = <Key, Value>(cache: Map<Key, Value>, max: number, key: Key, value: Value): void => {
  cache.delete(key)
  if (cache.size >= max) {
    const oldest = cache.keys().next()
    if (!oldest.done) cache.delete(oldest.value)
  }
  cache.set(key, value)
}

// Not part of $all.
const hiddenOfAll = /^\$epoch-information$|^\$persistentsubscription-\$all::.*-(?:checkpoint|parked)$/s

export type Names = ReturnType<typeof openNames>

export const openNames = (database: Database) => {
  const heads = new Map<string, Head>()
  const types = new Map<string, number>()
  const findStream = database.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck()
  const addStream = database.prepare<[string]>('INSERT INTO streams (name) VALUES (?)')
  const lastKey = database
    .prepare<[number], number>('SELECT key FROM keys WHERE stream = ? ORDER BY key DESC LIMIT 1')
    .pluck()
  const lastRecord = database
    .prepare<[number], Buffer>(
      `SELECT record FROM keys JOIN events ON events.position = keys.position
       WHERE keys.stream = ? AND keys.key >= 0 ORDER BY keys.key DESC LIMIT 1`,
    )
    .pluck()
  const findType = database.prepare<[string], number>('SELECT id FROM types WHERE name = ?').pluck()
  const addType = database.prepare<[string]>('INSERT INTO types (name) VALUES (?)')
  const nameOfStream = database.prepare<[number], string>('SELECT name FROM streams WHERE id = ?').pluck()
  const nameOfType = database.prepare<[number], string>('SELECT name FROM types WHERE id = ?').pluck()
  const findMaybeHidden = database
    .prepare<[], [number, string]>(
      `SELECT id, name FROM streams WHERE name = '$epoch-information'
       OR (name > '$persistentsubscription-$all::' AND name < '$persistentsubscription-$all:;')`,
    )
    .raw()

  const hidden = new Set<number>()
  const findHidden = () => {
    hidden.clear()
    for (const [stream, name] of findMaybeHidden.iterate()) if (hiddenOfAll.test(name)) hidden.add(stream)
  }
  findHidden()

  /** The last event of its metadata stream; undefined when there is none. */
  const storedMetadata = (streamName: string): Buffer | undefined => {
    const metastream = findStream.get(metastreamOf(streamName))
    return metastream === undefined ? undefined : lastRecord.get(metastream)
  }

  const jsonOf = (record: Buffer): Buffer => {
    const { isJson, data } = decodeRecord(record)
    return isJson ? data : Buffer.alloc(0)
  }

  const loadMetadata = (streamName: string): StreamMetadata => {
    if (isMetastream(streamName)) return ofMetastreams
    const record = storedMetadata(streamName)
    return record ? parseMetadata(jsonOf(record)) : noMetadata
  }

  const head = (streamName: string): Head => {
    const known = heads.get(streamName)
    if (known) return known
    const stream = findStream.get(streamName)
    const revision = stream === undefined ? -1 : (lastKey.get(stream) ?? -1)
    const found = { stream, revision, metadata: loadMetadata(streamName) }
    if (stream !== undefined) remember(heads, remembered.streamsMax, streamName, found)
    return found
  }

  return {
    head,
    addStream: (streamName: string): number => {
      const added = Number(addStream.run(streamName).lastInsertRowid)
      if (hiddenOfAll.test(streamName)) hidden.add(added)
      return added
    },
    /** Records a new event of the stream; new metadata applies from now on. */
    moveHead: (streamName: string, moved: Head): void => {
      remember(heads, remembered.streamsMax, streamName, moved)
      if (isMetastream(streamName)) heads.delete(originalOf(streamName))
    },
    /** True when the stream was tombstoned; its metadata stream is then, too. */
    isTombstoned: (streamName: string): boolean =>
      head(streamName).revision === tombstoneRevision ||
      (isMetastream(streamName) && head(originalOf(streamName)).revision === tombstoneRevision),
    /** The last metadata; empty when there is none in JSON. */
    metadataJson: (streamName: string): Buffer => {
      const record = storedMetadata(streamName)
      return record ? jsonOf(record) : Buffer.alloc(0)
    },
    isHiddenOfAll: (stream: number): boolean => hidden.size > 0 && hidden.has(stream),
    findType: (type: string): number | undefined => types.get(type) ?? findType.get(type),
    typeNumber: (type: string): number => {
      const known = types.get(type) ?? findType.get(type) ?? Number(addType.run(type).lastInsertRowid)
      if (!types.has(type)) remember(types, remembered.typesMax, type, known)
      return known
    },
    streamName: (stream: number): string => nameOfStream.get(stream) ?? '',
    typeName: (type: number): string => nameOfType.get(type) ?? '',
    // After a rollback the caches may be wrong.
    forget: (): void => {
      heads.clear()
      types.clear()
      findHidden()
    },
  }
}
