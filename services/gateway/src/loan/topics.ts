// The live topics of loans: one's own, and the underwriters' queue.
import { loanApi } from '@headwater/deciders/loan/api'
import type { View } from '@headwater/live/result-window'
import { defineTopic } from '@headwater/live/topic'
import {
  compareLoans,
  isOwned,
  type LoanOwner,
  type LoanRow,
  listLoans,
  matchesLoan,
} from '@headwater/read-models/loan/loans'
import type { UnderwritingLoan } from '@headwater/read-models/loan/underwriting'
import { compareIn, listQueue, matchesQueue } from '@headwater/read-models/loan/underwriting-queries'
import { loanViewerOf } from './access.ts'
import { underwritingLoanAsSeen } from './seen-underwriting.ts'
import { loanAsSeen } from './sight.ts'

const loans = defineTopic({
  readModel: 'loans',
  ...loanApi.topics.loans,
  viewer: loanViewerOf,
  table: 'loans',
  view: (filter, { sight, owned }): View<LoanRow> => ({
    matches: matchesLoan({ ...filter, owned }),
    key: (loan) => loan.loanId,
    compare: compareLoans,
    show: (loan) => JSON.stringify(loanAsSeen(loan, sight)),
  }),
  canSee: (loan: LoanOwner, { owned }) => isOwned(owned, loan),
  first: (filter, { owned }, count) => listLoans({ ...filter, owned, limit: count }),
})

/** The loans that wait for an underwriter. */
const underwriting = defineTopic({
  readModel: 'underwriting',
  ...loanApi.topics.underwriting,
  viewer: () => 'underwriter',
  table: 'loans',
  view: (filter): View<UnderwritingLoan> => ({
    matches: matchesQueue(filter),
    key: (loan) => loan.loanId,
    compare: compareIn(filter),
    show: (loan) => JSON.stringify(underwritingLoanAsSeen(loan)),
  }),
  first: (filter, _viewer, count) => listQueue(filter, { ...filter, limit: count }),
})

export const loanTopics = { loans, underwriting }
