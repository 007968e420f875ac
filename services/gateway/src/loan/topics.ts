// The live topics of loans: one's own, and the underwriters' queue.
import { uuid } from '@headwater/deciders/fields'
import { loanTopicRules } from '@headwater/deciders/loan/loan-policy'
import type { View } from '@headwater/live/result-window'
import { defineTopic } from '@headwater/live/topic'
import {
  compareLoans,
  isOwned,
  type LoanRow,
  listLoans,
  loanStatuses,
  matchesLoan,
} from '@headwater/read-models/loan/loans'
import type { UnderwritingLoan } from '@headwater/read-models/loan/underwriting'
import { compareIn, listQueue, matchesQueue } from '@headwater/read-models/loan/underwriting-queries'
import { z } from 'zod'
import { loanViewerOf } from './access.ts'
import { underwritingLoanAsSeen } from './seen-underwriting.ts'
import { loanAsSeen } from './sight.ts'
import { liveQueueFilter, queueOrder } from './underwriting-filters.ts'

const loans = defineTopic({
  readModel: 'loans',
  rules: loanTopicRules.loans,
  viewer: loanViewerOf,
  table: 'loans',
  filter: z.strictObject({ status: z.enum(loanStatuses).optional(), loanId: uuid.optional() }).prefault({}),
  view: (filter, { sight, owned }): View<LoanRow> => ({
    matches: matchesLoan({ ...filter, owned }),
    key: (loan) => loan.loanId,
    compare: compareLoans,
    show: (loan) => JSON.stringify(loanAsSeen(loan, sight)),
  }),
  canSee: (loan, { owned }) => owned === undefined || (loan !== null && isOwned(owned, loan)),
  first: (filter, { owned }, count) => listLoans({ ...filter, owned, limit: count }),
})

/** The loans that wait for an underwriter. */
const underwriting = defineTopic({
  readModel: 'underwriting',
  rules: loanTopicRules.underwriting,
  viewer: () => 'underwriter',
  table: 'loans',
  filter: z.strictObject({ ...liveQueueFilter, ...queueOrder }).prefault({}),
  view: (filter): View<UnderwritingLoan> => ({
    matches: matchesQueue(filter),
    key: (loan) => loan.loanId,
    compare: compareIn(filter),
    show: (loan) => JSON.stringify(underwritingLoanAsSeen(loan)),
  }),
  canSee: () => true,
  first: (filter, _viewer, count) => listQueue(filter, { ...filter, limit: count }),
})

export const loanTopics = { loans, underwriting }
