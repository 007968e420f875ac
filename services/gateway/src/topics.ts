// The topics that can be followed live: which rows they are about, in which order, and what each viewer may see of them.
import { compareLoans, type LoanRow, listLoans, loanStatuses, matchesLoan } from '@headwater/read-models/loans'
import type { Row } from '@headwater/read-models/read-model'
import type { SqliteQueries } from '@headwater/read-models/sqlite-reader'
import { z } from 'zod'
import type { View } from './picture.ts'
import { loanAsSeen, type Sight } from './sight.ts'

/** A topic with its filter and its viewer filled in. */
export type LiveView = {
  /** Equal for views of the same rows by the same kind of viewer. */
  readonly name: string
  readonly table: string
  readonly view: View<Row>
  /** The first rows in the view's order. */
  readonly read: (db: SqliteQueries, count: number) => readonly Row[]
}

type Topic = (filter: unknown, sight: Sight) => LiveView | undefined

const defineTopic =
  <R extends Row, Filter>(topic: {
    readonly table: string
    readonly filter: z.ZodType<Filter>
    readonly view: (filter: Filter, sight: Sight) => View<R>
    readonly read: (filter: Filter, db: SqliteQueries, count: number) => readonly R[]
  }): Topic =>
  (filter, sight) => {
    const parsed = topic.filter.safeParse(filter)
    if (!parsed.success) return undefined
    return {
      name: JSON.stringify([topic.table, parsed.data, sight]),
      table: topic.table,
      // What the feed says about a table are rows of that table.
      view: topic.view(parsed.data, sight) as View<Row>,
      read: (db, count) => topic.read(parsed.data, db, count),
    }
  }

const loans = defineTopic({
  table: 'loans',
  filter: z.strictObject({ status: z.enum(loanStatuses).optional(), loanId: z.uuid().optional() }).prefault({}),
  view: (filter, sight): View<LoanRow> => ({
    matches: matchesLoan(filter),
    key: (loan) => loan.loanId,
    compare: compareLoans,
    show: (loan) => JSON.stringify(loanAsSeen(loan, sight)),
  }),
  read: (filter, db, count) => db.rows(listLoans({ ...filter, limit: count })),
})

export const topics: ReadonlyMap<string, Topic> = new Map([['loans', loans]])
