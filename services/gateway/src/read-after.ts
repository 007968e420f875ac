// Reads for a query: once the read model has reached the position that the caller asks for, or when that takes too long.
import { afterWaitMsMax } from '@headwater/deciders/query-fields'
import { comparePosition, formatPosition, parsePosition } from '@headwater/eventstore/position'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { Currency } from '@headwater/projections/freshness/freshness'
import type { Snapshot } from '@headwater/projections/model/changes'
import { isBehind } from '@headwater/projections/model/parked'
import type { Reader } from '@headwater/projections/model/reader'
import type { SqliteQueries, SqliteReader } from '@headwater/projections/sqlite/reader'

/** Time for the rows to catch up before a missing thing is answered with 503. */
const missWaitMsMax = 1_000

/**
 * Every answer says up to which position of the event store it is true, and whether something is missing from it.
 * @param of the stream that the answer is about; otherwise any may be
 */
export const readAfter = async <T>(
  reader: Pick<Reader, 'waitFor'>,
  after: string | undefined,
  read: () => Snapshot<T> | Promise<Snapshot<T>>,
  of?: string,
) => {
  const position = after === undefined ? undefined : parsePosition(after)
  if (position) await reader.waitFor(position, afterWaitMsMax)
  const { value, checkpoint, parkedStreams } = await read()
  const stale = position !== undefined && comparePosition(checkpoint, position) < 0
  const parked = of === undefined ? parkedStreams.length : Number(isBehind({ parkedStreams }, of))
  const headers = {
    'cache-control': 'no-store',
    'headwater-position': formatPosition(checkpoint),
    ...(stale ? { 'headwater-stale': 'true' } : {}),
    ...(parked > 0 ? { 'headwater-parked': String(parked) } : {}),
  }
  return { value, parked: parked > 0, headers }
}

export const notKnownYet = (what: string, details: { readonly parked?: boolean } = {}) =>
  new Problem(
    503,
    'read_model_behind',
    `Whether there is such a ${what} is not known here yet: the newest events have not been read.`,
    details,
  )

/**
 * Looks again in rows that are known to be current: only a thing missing there does not exist.
 * Requests at the same time share one question to the writer of the rows.
 * @throws Problem 503 when the rows are not known to be current
 */
export const lookAgain = async <T>(currency: Currency, what: string, find: (db: SqliteQueries) => T) => {
  const current = await currency.read(find, missWaitMsMax)
  if (!current) throw notKnownYet(what)
  return { value: current.value, position: formatPosition(current.checkpoint) }
}

export type Rows = { readonly reader: SqliteReader; readonly currency: Currency }

/**
 * One thing; undefined only when it is missing from rows that are known to be current.
 * @throws as `lookAgain` does
 */
export const findCurrent = async <T>(
  { reader, currency }: Rows,
  what: string,
  find: (db: SqliteQueries) => T | undefined,
): Promise<T | undefined> => reader.read(find).value ?? (await lookAgain(currency, what, find)).value
