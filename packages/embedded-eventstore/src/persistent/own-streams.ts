// The streams in which groups store their definitions, checkpoints, and parked events.
import type { Row } from '../store/pages.ts'
import { decodeRecord } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { headToRead } from '../store/visible.ts'
import { isTrouble, type Outcome, type Write } from '../store/writer.ts'

export const ownDelete = (streamName: string): Write => ({
  kind: 'delete',
  streamName,
  expected: 'any',
  events: [],
  deadlineAtMs: Number.POSITIVE_INFINITY,
  bytes: 0,
})

/** @throws when one of them was not written because of an error of the disk or the node */
export const writeAll = (store: Store, writes: readonly Write[]): Promise<Outcome[]> =>
  new Promise((resolve, reject) => {
    store.writeTogether(writes, (outcomes) => {
      const failed = outcomes.find(({ kind }) => isTrouble(kind))
      if (failed) reject(new Error(failed.kind === 'failed' ? failed.reason : failed.kind))
      else resolve(outcomes)
    })
  })

const lastRow = (store: Store, streamName: string): Row | undefined => {
  if (store.names.isTombstoned(streamName)) return undefined
  const head = headToRead(store, streamName)
  return head && store.pages.stream(head.stream, head.revision, 'backwards', 1)[0]
}

/** The JSON data of the last event of a stream; undefined when it has none. */
export const lastJson = (store: Store, streamName: string): unknown => {
  const row = lastRow(store, streamName)
  if (!row) return undefined
  try {
    return JSON.parse(decodeRecord(row[4]).data.toString('utf8'))
  } catch {
    return undefined
  }
}
