// Which events of a stream are still to be read, by its metadata (§2.7).
import { Refused } from '../wire/errors.ts'
import { firstRevision, type Head, isMissing } from './names.ts'
import type { Row } from './pages.ts'
import { decodeRecord } from './record.ts'
import type { Store } from './store.ts'
import type { StreamMetadata } from './stream-metadata.ts'

/** Tells whether a row is young enough for its stream, as of now. */
export const youngEnough = ({ maxAgeMs }: StreamMetadata): ((row: Row) => boolean) => {
  if (maxAgeMs === Number.POSITIVE_INFINITY) return () => true
  const createdAtMsMin = Date.now() - maxAgeMs
  return (row) => decodeRecord(row[4]).createdAtMs >= createdAtMsMin
}

/**
 * @returns the stream as readers see it; undefined when there is none for them
 * @throws when it was deleted for good
 */
export const headToRead = ({ names }: Store, streamName: string): (Head & { stream: number }) | undefined => {
  if (names.isTombstoned(streamName)) throw new Refused({ kind: 'stream deleted', streamName })
  const head = names.head(streamName)
  const { stream } = head
  return stream === undefined || isMissing(head) ? undefined : { ...head, stream }
}

/** The event that a link means; undefined when it is not to be read any more. */
export const eventAt = (store: Store, streamName: string, revision: number): Row | undefined => {
  if (store.names.isTombstoned(streamName)) return undefined
  const head = headToRead(store, streamName)
  if (!head || revision < firstRevision(head)) return undefined
  const row = store.pages.atRevision(head.stream, revision)
  return row && youngEnough(head.metadata)(row) ? row : undefined
}
