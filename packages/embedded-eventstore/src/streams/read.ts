// Serves bounded reads of a stream or of $all, in both directions, filtered or not.

import { firstRevision } from '../store/names.ts'
import { pageBytesMax, type Row } from '../store/pages.ts'
import type { Store } from '../store/store.ts'
import { headToRead, youngEnough } from '../store/visible.ts'
import { breathe, isOver, type ReadCall } from '../wire/calls.ts'
import { createEncode } from './events.ts'
import { createFilter } from './filter.ts'
import type { FilterOptions, ReadRequest } from './read-request.ts'
import {
  encodeFirstStreamPosition,
  encodeLastAllPosition,
  encodeLastStreamPosition,
  encodeStreamNotFound,
} from './replies.ts'

type Range = { from: number; last: number; count: number; direction: ReadRequest['direction'] }
type Source = {
  readonly page: (from: number, count: number) => Row[]
  readonly column: 0 | 3
  readonly isVisible: (row: Row) => boolean
}

const isPast = (place: number, { last, direction }: Range): boolean =>
  direction === 'forwards' ? place > last : place < last

// Sends the rows between two places. The end is fixed when the read begins: later appends are not part of it.
const sendRows = async (
  call: ReadCall,
  range: Range,
  encode: (row: Row) => Buffer,
  { page, column, isVisible }: Source,
): Promise<number> => {
  let { from, count } = range
  let sent = 0
  while (count > 0 && !isPast(from, range) && !isOver(call)) {
    const rows = page(from, count)
    for (const row of rows) {
      if (isPast(row[column], range)) return sent
      if (!isVisible(row)) continue
      call.write(encode(row))
      sent++
      count--
    }
    const end = rows.at(-1)
    if (!end) return sent
    from = end[column] + (range.direction === 'forwards' ? 1 : -1)
    if (count > 0 && !isPast(from, range)) await breathe(call)
  }
  return sent
}

export const readStream = async (call: ReadCall, store: Store, request: ReadRequest, streamName: string) => {
  const head = headToRead(store, streamName)
  if (!head) {
    call.write(encodeStreamNotFound(streamName))
    return
  }
  const { direction, source, count = 0, compatibility } = request
  const forwards = direction === 'forwards'
  const first = firstRevision(head)
  const asked = source.from === 'start' ? 0 : source.from === 'end' ? head.revision + (forwards ? 1 : 0) : source.from
  const from = forwards ? Math.max(asked, first) : asked
  const range: Range = { from, last: forwards ? head.revision : first, count, direction }
  const sent = await sendRows(call, range, createEncode(store, request), {
    page: (start, many) => store.pages.stream(head.stream, start, direction, many),
    column: 3,
    isVisible: youngEnough(head.metadata),
  })
  if (compatibility < 1 || isOver(call)) return
  if (sent === 0 && asked !== first && count > 0) call.write(encodeFirstStreamPosition(first))
  call.write(encodeLastStreamPosition(head.revision))
}

const allRange = (store: Store, { direction, source, count = 0 }: ReadRequest): Range => {
  const head = store.head()
  const forwards = direction === 'forwards'
  // $all is read inclusively forwards and exclusively backwards.
  const from = source.from === 'start' ? 0 : source.from === 'end' ? head + 1 : source.from
  return { from: forwards ? from : Math.min(from, head + 1) - 1, last: forwards ? head : 1, count, direction }
}

const readFiltered = async (call: ReadCall, store: Store, request: ReadRequest, options: FilterOptions) => {
  const range = allRange(store, request)
  const matching = createFilter(options, store.names)
  const encode = createEncode(store, request)
  let { from, count } = range
  let unsentBytes = 0
  while (count > 0 && !isPast(from, range)) {
    const { places, matches } = matching(store.pages.places(from, range.direction))
    for (const place of places) {
      if (isPast(place[0], range) || count === 0) return
      const row = !store.names.isHiddenOfAll(place[1]) && matches(place) ? store.pages.at(place[0]) : undefined
      if (!row) continue
      const message = encode(row)
      call.write(message)
      count--
      unsentBytes += message.length
      if (unsentBytes < pageBytesMax) continue
      await breathe(call)
      unsentBytes = 0
      if (isOver(call)) return
    }
    const end = places.at(-1)
    if (!end) return
    from = end[0] + (range.direction === 'forwards' ? 1 : -1)
    if (count > 0) await breathe(call)
    if (isOver(call)) return
  }
}

export const readAll = async (call: ReadCall, store: Store, request: ReadRequest): Promise<void> => {
  if (request.filter) await readFiltered(call, store, request, request.filter)
  else {
    await sendRows(call, allRange(store, request), createEncode(store, request), {
      page: (from, count) => store.pages.all(from, request.direction, count),
      column: 0,
      isVisible: (row) => !store.names.isHiddenOfAll(row[1]),
    })
  }
  if (request.compatibility >= 1 && !isOver(call)) call.write(encodeLastAllPosition(store.head()))
}
