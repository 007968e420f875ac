// A loan as it was, and what changed between two moments: from its events, by the projection that makes the rows of today.
import { loanApi } from '@headwater/deciders/loan/api'
import { loanNotFound } from '@headwater/deciders/loan/loan'
import { comparedFields, type SeenLoan } from '@headwater/deciders/loan/loan-answers'
import { type EventStore, StreamDeleted } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { readPage } from '@headwater/eventstore/commands/known-stream'
import { formatPosition } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { Problem, validationProblem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { rowsAfter } from '@headwater/projections/run/past'
import { isOwned, type LoanRow, loans } from '@headwater/read-models/loan/loans'
import { eventsUpTo, type Place, placeOf } from '../stream-place.ts'
import { type LoanViewer, loanViewerOf } from './access.ts'
import { loanAsSeen } from './sight.ts'

const pageEvents = 100
/** Many times what the rules of a loan allow. */
const eventsMax = 1_000

type Streams = Pick<EventStore, 'readStream'>

/**
 * The events of a loan; not all of them when there are more than can be read.
 * @throws Rejection `loan_not_found` when it was deleted, `stream_truncated`
 */
export const readLoanEvents = async (store: Streams, loanId: string) => {
  const events: StoredEvent[] = []
  for (;;) {
    // One more than the limit tells whether that is all.
    const count = Math.min(pageEvents, eventsMax + 1 - events.length)
    const page = await readPage(store, streamName('loan', loanId), BigInt(events.length), count).catch((error) => {
      throw error instanceof StreamDeleted ? loanNotFound() : error
    })
    events.push(...page)
    const complete = page.length < count
    if (complete || events.length > eventsMax) return { events, complete }
  }
}

export const historyTooLong = (): Problem =>
  new Problem(422, 'history_too_long', `The loan has more than ${eventsMax} events, which are not read at once.`)

type PastLoan = { readonly loan: LoanRow; readonly last: StoredEvent }

/**
 * The past of a loan, for whoever may see the loan now. Before its first event there is no loan: undefined.
 * @throws Rejection `loan_not_found`, also when it is somebody else's; Problem
 */
const openPast = async (store: Streams, loanId: string, { owned }: LoanViewer) => {
  const { events, complete } = await readLoanEvents(store, loanId)
  const loanAfter = (some: readonly StoredEvent[]): PastLoan | undefined => {
    const loan = rowsAfter(loans, some).loans.get(loanId)
    const last = some.at(-1)
    return loan && last && { loan, last }
  }
  const now = loanAfter(events)
  if (!now || !isOwned(owned, now.loan)) throw loanNotFound()
  if (!complete) throw historyTooLong()
  return (then: Place | undefined) => (then ? loanAfter(eventsUpTo(events, then)) : now)
}

const notThereThen = () => new Problem(404, 'loan_not_found', 'There was no such loan yet at that moment.')

const headersOf = ({ last }: PastLoan) => ({
  'cache-control': 'no-store',
  'headwater-position': formatPosition(last.position),
})

/**
 * The loan as it was at a place in its stream, with the headers of the answer.
 * @throws Rejection `loan_not_found`, Problem
 */
export const loanAsOf = async (store: Streams, loanId: string, viewer: LoanViewer, then: Place) => {
  const past = (await openPast(store, loanId, viewer))(then)
  if (!past) throw notThereThen()
  return { loan: past.loan, headers: { ...headersOf(past), etag: `"${past.last.revision}"` } }
}

const momentOf = ({ last }: PastLoan) => ({ revision: Number(last.revision), at: last.recordedAt.toISOString() })

const changesBetween = (before: Partial<SeenLoan>, after: SeenLoan) =>
  comparedFields.flatMap((field) => {
    const change = { field, before: before[field] ?? null, after: after[field] ?? null }
    return change.before === change.after ? [] : [change]
  })

export const registerLoanChanges = (server: HttpServer, store: Streams): void => {
  registerQuery(
    server,
    'loan',
    loanApi.queries.changes,
    async ({ params, query, allowed }, reply) => {
      const viewer = loanViewerOf(allowed)
      const pastAt = await openPast(store, params.id, viewer)
      const [before, after] = [
        pastAt(placeOf(query.from)),
        pastAt(query.to === undefined ? undefined : placeOf(query.to)),
      ]
      if (!after) throw notThereThen()
      if (before && before.last.revision > after.last.revision)
        throw validationProblem([{ field: 'from', message: 'must not be later than `to`' }])
      reply.headers(headersOf(after))
      const seen = ({ loan }: PastLoan) => loanAsSeen(loan, viewer.sight)
      return {
        from: before ? momentOf(before) : null,
        to: momentOf(after),
        changes: changesBetween(before ? seen(before) : {}, seen(after)),
      }
    },
    { look: { loan: 'history' } },
  )
}
