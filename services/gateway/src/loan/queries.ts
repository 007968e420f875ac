// Queries on the edge's read models; every answer says up to which position of the event store it is true.
import { loanApi } from '@headwater/deciders/loan/api'
import { loanNotFound } from '@headwater/deciders/loan/loan'
import type { EventStore } from '@headwater/eventstore/client/client'
import { streamName } from '@headwater/eventstore/stream-name'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formatCursor } from '@headwater/projections/model/cursor'
import { canOwn, isOwned, type LoanRow, listLoans, loanById, loanCursorOf } from '@headwater/read-models/loan/loans'
import { cursorOf } from '../cursor.ts'
import { lookAgain, notKnownYet, type Rows, readAfter } from '../read-after.ts'
import { placeOf } from '../stream-place.ts'
import { loanViewerOf } from './access.ts'
import { loanAsOf } from './loan-past.ts'
import { loanAsSeen } from './sight.ts'

export const registerQueries = (
  server: HttpServer,
  { reader, currency, store }: Rows & { readonly store: Pick<EventStore, 'readStream'> },
): void => {
  registerQuery(
    server,
    'loan',
    loanApi.queries.loan,
    async ({ params, query, allowed }, reply) => {
      const viewer = loanViewerOf(allowed)
      const { sight, owned } = viewer
      if (query.asOf) {
        const { loan, headers } = await loanAsOf(store, params.id, viewer, placeOf(query.asOf))
        reply.headers(headers)
        return loanAsSeen(loan, sight)
      }
      const read = () => reader.rows(loanById(params.id))
      const stream = streamName('loan', params.id)
      const { value, parked, headers } = await readAfter(reader, query.after, read, stream)
      reply.headers(headers)
      // Another person's is answered as if there were none.
      const ownOf = ([loan]: readonly LoanRow[]) => (loan && isOwned(owned, loan) ? loan : undefined)
      let loan = ownOf(value)
      if (!loan && canOwn(owned, params.id)) {
        if (parked && value.length === 0) throw notKnownYet('loan', { parked })
        const again = await lookAgain(currency, 'loan', (db) => ownOf(db.rows(loanById(params.id))))
        reply.header('headwater-position', again.position)
        loan = again.value
      }
      if (!loan) throw loanNotFound()
      reply.header('etag', `"${loan.revision}"`)
      return loanAsSeen(loan, sight)
    },
    { look: { loan: 'detail' } },
  )

  registerQuery(
    server,
    'loan',
    loanApi.queries.loans,
    async ({ query, allowed }, reply) => {
      const { sight, owned } = loanViewerOf(allowed)
      const { status, cursor, limit } = query
      // One more than asked for tells whether there is a next page.
      const list = listLoans({ status, owned, after: cursorOf(cursor), limit: limit + 1 })
      const { value, headers } = await readAfter(reader, query.after, () => reader.rows(list))
      reply.headers(headers)
      const shown = value.slice(0, limit)
      const last = shown.at(-1)
      return {
        loans: shown.map((loan) => loanAsSeen(loan, sight)),
        next: last && value.length > limit ? formatCursor(loanCursorOf(last)) : null,
      }
    },
    { look: { list: 'loans' } },
  )
}
