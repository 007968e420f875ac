// Queries for underwriters: who waits, what was decided, and the numbers.
import { Readable } from 'node:stream'
import { loanApi } from '@headwater/deciders/loan/api'
import { validationProblem } from '@headwater/http-kit/commands/problem'
import { registerQuery } from '@headwater/http-kit/server/register-query'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Query } from '@headwater/projections/model/reader'
import type { PostgresReader } from '@headwater/projections/postgres/reader'
import type { UnderwritingLoan } from '@headwater/read-models/loan/underwriting'
import {
  formatLoansCursor,
  listHistory,
  listQueue,
  type Order,
  type Page,
  parseLoansCursor,
  readStatistics,
} from '@headwater/read-models/loan/underwriting-queries'
import { byteOrderMark, csvLine } from '../audit/csv.ts'
import { named, nameOf, type People } from '../people.ts'
import { readAfter } from '../read-after.ts'
import { underwritingLoanAsSeen } from './seen-underwriting.ts'

const exportPageSize = 1_000
const dayMs = 86_400_000

const csvColumns = [
  'loanId',
  'name',
  'amount',
  'score',
  'status',
  'requestedAt',
  'decidedAt',
  'decidedBy',
  'reason',
] as const satisfies readonly (keyof UnderwritingLoan)[]
const nameColumn = 'decidedByName'

type Searched<Query> = { readonly query: Query; readonly headers: { readonly 'headwater-search'?: string | undefined } }
const filterOf = <Query>({ query, headers }: Searched<Query>) => ({ ...query, search: headers['headwater-search'] })

const firstDayOf = (days: number): string => new Date(Date.now() - (days - 1) * dayMs).toISOString().slice(0, 10)

export const registerUnderwriting = (
  server: HttpServer,
  { reader, people }: { readonly reader: PostgresReader; readonly people: Pick<People, 'namesOf'> },
): void => {
  type PageRequest = Order & {
    readonly cursor?: string | undefined
    readonly limit: number
    readonly after?: string | undefined
  }

  const readPage = async (request: PageRequest, list: (page: Page) => Query<UnderwritingLoan>) => {
    const { cursor, limit, sort, direction } = request
    const from = cursor === undefined ? undefined : parseLoansCursor(cursor, request)
    if (cursor !== undefined && !from)
      throw validationProblem([{ field: 'cursor', message: 'a `next` of this API, of the same order' }])
    // One more than asked for tells whether there is a next page.
    const query = list({ sort, direction, after: from, limit: limit + 1 })
    const { value, headers } = await readAfter(reader, request.after, () => reader.rows(query))
    const shown = value.slice(0, limit)
    const last = shown.at(-1)
    const next = last && value.length > limit ? formatLoansCursor(last, request) : null
    const names = await people.namesOf(shown.map(({ decidedBy }) => decidedBy))
    const loans = shown.map((loan) => ({
      ...underwritingLoanAsSeen(loan),
      ...named(names, 'decidedByName', loan.decidedBy),
    }))
    return { headers, body: { loans, next } }
  }

  registerQuery(
    server,
    'underwriting',
    loanApi.queries.queue,
    async (request, reply) => {
      const { headers, body } = await readPage(request.query, (page) => listQueue(filterOf(request), page))
      return reply.headers(headers).send(body)
    },
    { look: { list: 'underwriting' } },
  )

  registerQuery(
    server,
    'underwriting',
    loanApi.queries.decided,
    async (request, reply) => {
      const { headers, body } = await readPage(request.query, (page) => listHistory(filterOf(request), page))
      return reply.headers(headers).send(body)
    },
    { look: { list: 'decided' } },
  )

  registerQuery(
    server,
    'underwriting',
    loanApi.queries.decidedFile,
    async (request, reply) => {
      const { query } = request
      const { sort, direction } = query
      const pageAfter = (last: UnderwritingLoan | undefined) => {
        const after = last && parseLoansCursor(formatLoansCursor(last, query), query)
        return reader.rows(listHistory(filterOf(request), { sort, direction, after, limit: exportPageSize }))
      }
      // Before the first line is sent, the answer can still be a problem.
      const { value: first, headers } = await readAfter(reader, query.after, () => pageAfter(undefined))
      const lines = async function* () {
        yield byteOrderMark + csvLine([...csvColumns, nameColumn])
        let page = first
        for (;;) {
          const names = await people.namesOf(page.map(({ decidedBy }) => decidedBy))
          const lineOf = (loan: UnderwritingLoan) =>
            csvLine([...csvColumns.map((column) => loan[column]), nameOf(names, loan.decidedBy) ?? null])
          yield page.map(lineOf).join('')
          if (page.length < exportPageSize) return
          page = (await pageAfter(page.at(-1))).value
        }
      }
      return reply
        .headers(headers)
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="decided-loans.csv"')
        .send(Readable.from(lines()))
    },
    { look: { list: 'decided, as a file' } },
  )

  registerQuery(server, 'underwriting', loanApi.queries.statistics, async ({ query }, reply) => {
    const { value, headers } = await readAfter(reader, query.after, () =>
      reader.read((db) => readStatistics(db, firstDayOf(query.days))),
    )
    return reply.headers(headers).send(value)
  })
}
