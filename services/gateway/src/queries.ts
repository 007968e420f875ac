// Queries on the edge's read models; every answer says up to which position of the event store it is true.
import { comparePosition, formatPosition, parsePosition } from '@headwater/eventstore/position'
import { Problem, problemSchema, validationProblem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { formatLoanCursor, listLoans, loanById, loanStatuses, parseLoanCursor } from '@headwater/read-models/loans'
import type { SqliteQueries, SqliteReader } from '@headwater/read-models/sqlite-reader'
import { z } from 'zod'
import { loanAsSeen, type Sight, seenLoan } from './sight.ts'

const waitMsMax = 2_000
const pageSizeMax = 100
const pageSizeDefault = 20

const after = z
  .string()
  .refine((text) => parsePosition(text) !== undefined, 'a position as this API gives it, such as 4711/4711')
  .optional()
  .meta({
    description: `A position from a command's answer: waits up to ${waitMsMax} ms until the answer includes it; if it still does not, the answer carries \`Headwater-Stale: true\`.`,
  })

const problemAnswer = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})

const page = z.object({
  loans: z.array(seenLoan),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

export const registerQueries = (
  server: HttpServer,
  { reader, sight }: { readonly reader: SqliteReader; readonly sight: Sight },
): void => {
  /** Reads when the read model has reached `after`, or what there is when that takes too long. */
  const read = async <T>(after: string | undefined, work: (db: SqliteQueries) => T) => {
    const position = after === undefined ? undefined : parsePosition(after)
    if (position) await reader.waitFor(position, waitMsMax)
    const { value, checkpoint } = reader.read(work)
    const stale = position !== undefined && comparePosition(checkpoint, position) < 0
    const headers = {
      'cache-control': 'no-store',
      'headwater-position': formatPosition(checkpoint),
      ...(stale ? { 'headwater-stale': 'true' } : {}),
    }
    return { value, stale, headers }
  }

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
      const { value, stale, headers } = await read(query.after, (db) => db.rows(loanById(params.id)))
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
          limit: z.coerce.number().int().min(1).max(pageSizeMax).default(pageSizeDefault),
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
      const { value, headers } = await read(query.after, (db) => db.rows(list))
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
