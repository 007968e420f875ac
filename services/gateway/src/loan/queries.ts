// Queries on the edge's read models; every answer says up to which position of the event store it is true.
import { uuid } from '@headwater/deciders/fields'
import { loanNotFound } from '@headwater/deciders/loan/loan'
import { loanQueryRules } from '@headwater/deciders/loan/loan-policy'
import type { EventStore } from '@headwater/eventstore/client/client'
import { streamName } from '@headwater/eventstore/stream-name'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { formatCursor } from '@headwater/projections/model/cursor'
import {
  canOwn,
  isOwned,
  type LoanRow,
  listLoans,
  loanById,
  loanCursorOf,
  loanStatuses,
} from '@headwater/read-models/loan/loans'
import { z } from 'zod'
import { cursor, pageSize, problemAnswer } from '../answers.ts'
import { after, lookAgain, notKnownYet, type Rows, readAfter } from '../read-after.ts'
import { place } from '../stream-place.ts'
import { loanViewerOf } from './access.ts'
import { loanAsOf } from './loan-past.ts'
import { loanAsSeen, seenLoan } from './sight.ts'

const refusals = {
  401: problemAnswer('Nobody is signed in.'),
  403: problemAnswer('A partner without the scope.'),
}

const oneLoan = z
  .strictObject({
    after,
    asOf: place.optional().meta({
      description:
        'A revision of the loan, or a moment: the loan as it was then, from the event store. `ETag` and `Headwater-Position` are those of the last event up to there.',
    }),
  })
  .refine(({ after, asOf }) => after === undefined || asOf === undefined, {
    path: ['after'],
    message: 'goes without asOf: the past is read from the event store and not waited for',
  })

const page = z.object({
  loans: z.array(seenLoan),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

export const registerQueries = (
  server: HttpServer,
  { reader, currency, store }: Rows & { readonly store: Pick<EventStore, 'readStream'> },
): void => {
  server.get(
    '/api/loans/:id',
    {
      config: { rules: loanQueryRules.loan, look: { loan: 'detail' } },
      schema: {
        tags: ['loan'],
        summary: 'One loan, now or as it was',
        params: z.object({ id: uuid }),
        querystring: oneLoan,
        response: {
          200: seenLoan,
          ...refusals,
          404: problemAnswer('There is no such loan of yours, or not yet, or was none then.'),
          422: problemAnswer('Something in the query is not right.'),
          503: problemAnswer('Whether there is such a loan of yours is not known here yet.'),
        },
      },
    },
    async ({ params, query, allowed }, reply) => {
      const viewer = loanViewerOf(allowed)
      const { sight, owned } = viewer
      if (query.asOf) {
        const { loan, headers } = await loanAsOf(store, params.id, viewer, query.asOf)
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
  )

  server.get(
    '/api/loans',
    {
      config: { rules: loanQueryRules.loans, look: { list: 'loans' } },
      schema: {
        tags: ['loan'],
        summary: 'Loans, the newest first',
        description: 'All of them for underwriters and operators, your own for everybody else.',
        querystring: z.strictObject({
          status: z.enum(loanStatuses).optional(),
          cursor,
          limit: pageSize,
          after,
        }),
        response: { 200: page, ...refusals, 422: problemAnswer('Something in the query is not right.') },
      },
    },
    async ({ query, allowed }, reply) => {
      const { sight, owned } = loanViewerOf(allowed)
      const { status, cursor, limit } = query
      // One more than asked for tells whether there is a next page.
      const list = listLoans({ status, owned, after: cursor, limit: limit + 1 })
      const { value, headers } = await readAfter(reader, query.after, () => reader.rows(list))
      reply.headers(headers)
      const shown = value.slice(0, limit)
      const last = shown.at(-1)
      return {
        loans: shown.map((loan) => loanAsSeen(loan, sight)),
        next: last && value.length > limit ? formatCursor(loanCursorOf(last)) : null,
      }
    },
  )
}
