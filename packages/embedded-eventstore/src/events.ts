// Turns rows into messages to send, resolving links when asked (§2.9).
import type { Row } from './pages.ts'
import type { ReadRequest } from './read-request.ts'
import { encodeReadEvent, linkTarget } from './record.ts'
import type { Store } from './store.ts'
import { eventAt } from './visible.ts'

const linkType = '$>'

export type Encode = (row: Row) => Buffer

export const createEncode = (store: Store, { idsAs, resolveLinks }: ReadRequest): Encode => {
  const plain: Encode = (row) => encodeReadEvent({ position: row[0], event: row[4], link: undefined }, idsAs)
  if (!resolveLinks) return plain
  return (row) => {
    if (row[2] !== store.names.findType(linkType)) return plain(row)
    const target = linkTarget(row[4])
    const found = target && eventAt(store, target.streamName, target.revision)
    return encodeReadEvent({ position: row[0], event: found?.[4], link: row[4] }, idsAs)
  }
}
