// Determines the readable events of a stream by its metadata.
import { Refused } from '../wire/errors.ts'
import { firstRevision, type Head, isMissing } from './names.ts'
import type { Row } from './pages.ts'
import { decodeRecord } from './record.ts'
import type { Store } from './store.ts'
import type { StreamMetadata } from './stream-metadata.ts'

/** Tests rows against the maximum age, as of now. */
export const youngEnough = ({ maxAgeMs }: StreamMetadata): ((row: Row) => boolean) => {
  if (maxAgeMs === Number.POSITIVE_INFINITY) return () => true
  const createdAtMsMin = Date.now() - maxAgeMs
  return (row) => decodeRecord(row[4]).createdAtMs >= createdAtMsMin
}

/**
 * @returns the stream as readers see it; undefined when it is missing
 * @throws when it was tombstoned
 */
export const headToRead = ({ names }: Store, streamName: string): (Head & { stream: number }) | undefined => {
  if (names.isTombstoned(streamName)) throw new Refused({ kind: 'stream deleted', streamName })
  const head = names.head(streamName)
  const { stream } = head
  return stream === undefined || isMissing(head) ? undefined : { ...head, stream }
}

/** The target of a link; undefined when it is no longer readable. */
export const eventAt = (store: Store, streamName: string, revision: number): Row | undefined => {
  if (store.names.isTombstoned(streamName)) return undefined
  const head = headToRead(store, streamName)
  if (!head || revision < firstRevision(head)) return undefined
  const row = store.pages.atRevision(head.stream, revision)
  return row && youngEnough(head.metadata)(row) ? row : undefined
}
