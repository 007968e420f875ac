// Encodes rows as messages, and resolves links on request.

import type { Row } from '../store/pages.ts'
import { encodeReadEvent, linkTarget, type SentEvent } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { eventAt } from '../store/visible.ts'
import { Refused } from '../wire/errors.ts'
import type { ReadRequest } from './read-request.ts'

const linkType = '$>'

/** Returns the event of a row; with resolved links the target, or only the link when its target is not readable. */
export const createResolve = (
  store: Store,
  resolveLinks: boolean,
  mayRead?: ReadRequest['mayRead'],
): ((row: Row) => SentEvent) => {
  const plain = (row: Row): SentEvent => ({ position: row[0], event: row[4], link: undefined })
  if (!resolveLinks) return plain
  return (row) => {
    if (row[2] !== store.names.findType(linkType)) return plain(row)
    const target = linkTarget(row[4])
    if (target && mayRead?.(target.streamName) === false) throw new Refused({ kind: 'access denied' })
    const found = target && eventAt(store, target.streamName, target.revision)
    return { position: row[0], event: found?.[4], link: row[4] }
  }
}

export const createEncode = (store: Store, { idsAs, resolveLinks, mayRead }: ReadRequest): ((row: Row) => Buffer) => {
  const resolve = createResolve(store, resolveLinks, mayRead)
  return (row) => encodeReadEvent(resolve(row), idsAs)
}
