// Queries on the edge's read models; every answer says up to which position of the event store it is true.
import { Problem, validationProblem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { formatLoanCursor, listLoans, loanById, loanStatuses, parseLoanCursor } from '@headwater/read-models/loans'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { z } from 'zod'
import { pageSize, problemAnswer } from './answers.ts'
import { after, readAfter } from './read-after.ts'
import { loanAsSeen, type Sight, seenLoan } from './sight.ts'

const page = z.object({
  loans: z.array(seenLoan),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

export const registerQueries = (
  server: HttpServer,
  { reader, sight }: { readonly reader: SqliteReader; readonly sight: Sight },
): void => {
  server.get(
    '/api/loans/:id',
    {
      schema: {
        tags: ['loan'],
        summary: 'One loan',
        params: z.object({ id: z.uuid() }),
        querystring: z.strictObject({ after }),
        response: { 200: seenLoan, 404: problemAnswer('There is no such loan, or not yet.') },
      },
    },
    async ({ params, query }, reply) => {
      const { value, stale, headers } = await readAfter(reader, query.after, () => reader.rows(loanById(params.id)))
      const [loan] = value
      reply.headers(headers)
      if (!loan)
        throw stale
          ? new Problem(404, 'loan_not_found', 'There is no such loan yet; the newest events are not read.', { stale })
          : new Problem(404, 'loan_not_found', 'There is no such loan.')
      reply.header('etag', `"${loan.revision}"`)
      return loanAsSeen(loan, sight)
    },
  )

  server.get(
    '/api/loans',
    {
      schema: {
        tags: ['loan'],
        summary: 'Loans, the newest first',
        querystring: z.strictObject({
          status: z.enum(loanStatuses).optional(),
          cursor: z.string().optional(),
          limit: pageSize,
          after,
        }),
        response: { 200: page, 422: problemAnswer('Something in the query is not right.') },
      },
    },
    async ({ query }, reply) => {
      const { status, cursor, limit } = query
      const from = cursor === undefined ? undefined : parseLoanCursor(cursor)
      if (cursor !== undefined && !from) throw validationProblem([{ field: 'cursor', message: 'a `next` of this API' }])
      // One more than asked for tells whether there is a next page.
      const list = listLoans({ status, after: from, limit: limit + 1 })
      const { value, headers } = await readAfter(reader, query.after, () => reader.rows(list))
      reply.headers(headers)
      const shown = value.slice(0, limit)
      const last = shown.at(-1)
      return {
        loans: shown.map((loan) => loanAsSeen(loan, sight)),
        next: last && value.length > limit ? formatLoanCursor(last) : null,
      }
    },
  )
}
