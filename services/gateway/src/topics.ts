// The topics that can be followed live: which rows they are about, in which order, and what each viewer may see of them.
import { compareLoans, type LoanRow, listLoans, loanStatuses, matchesLoan } from '@headwater/read-models/loans'
import type { Row } from '@headwater/read-models/read-model'
import type { Query } from '@headwater/read-models/reader'
import type { UnderwritingLoan } from '@headwater/read-models/underwriting'
import { compareIn, listQueue, matchesQueue } from '@headwater/read-models/underwriting-queries'
import { z } from 'zod'
import type { View } from './picture.ts'
import { underwritingLoanAsSeen } from './seen-underwriting.ts'
import { loanAsSeen, type Sight } from './sight.ts'
import { liveQueueFilter, queueOrder } from './underwriting-filters.ts'

export type ReadModelName = 'loans' | 'underwriting'

/** A topic with its filter and its viewer filled in. */
export type LiveView = {
  /** Equal for views of the same rows by the same kind of viewer. */
  readonly name: string
  readonly readModel: ReadModelName
  readonly table: string
  readonly view: View<Row>
  /** The first rows in the view's order. */
  readonly first: (count: number) => Query<Row>
}

type Topic = (filter: unknown, sight: Sight) => LiveView | 'forbidden' | 'invalid_filter'

const defineTopic =
  <R extends Row, Filter>(topic: {
    readonly readModel: ReadModelName
    readonly table: string
    readonly seenBy: readonly Sight[]
    readonly filter: z.ZodType<Filter>
    readonly view: (filter: Filter, sight: Sight) => View<R>
    readonly first: (filter: Filter, count: number) => Query<R>
  }): Topic =>
  (filter, sight) => {
    if (!topic.seenBy.includes(sight)) return 'forbidden'
    const parsed = topic.filter.safeParse(filter)
    if (!parsed.success) return 'invalid_filter'
    return {
      name: JSON.stringify([topic.table, parsed.data, sight]),
      readModel: topic.readModel,
      table: topic.table,
      // What the feed says about a table are rows of that table.
      view: topic.view(parsed.data, sight) as View<Row>,
      first: (count) => topic.first(parsed.data, count),
    }
  }

const loans = defineTopic({
  readModel: 'loans',
  seenBy: ['public', 'underwriter'],
  table: 'loans',
  filter: z.strictObject({ status: z.enum(loanStatuses).optional(), loanId: z.uuid().optional() }).prefault({}),
  view: (filter, sight): View<LoanRow> => ({
    matches: matchesLoan(filter),
    key: (loan) => loan.loanId,
    compare: compareLoans,
    show: (loan) => JSON.stringify(loanAsSeen(loan, sight)),
  }),
  first: (filter, count) => listLoans({ ...filter, limit: count }),
})

/** The loans that wait for an underwriter. */
const underwriting = defineTopic({
  readModel: 'underwriting',
  seenBy: ['underwriter'],
  table: 'loans',
  filter: z.strictObject({ ...liveQueueFilter, ...queueOrder }).prefault({}),
  view: (filter): View<UnderwritingLoan> => ({
    matches: matchesQueue(filter),
    key: (loan) => loan.loanId,
    compare: compareIn(filter),
    show: (loan) => JSON.stringify(underwritingLoanAsSeen(loan)),
  }),
  first: (filter, count) => listQueue(filter, { ...filter, limit: count }),
})

export const topics: ReadonlyMap<string, Topic> = new Map([
  ['loans', loans],
  ['underwriting', underwriting],
])
