// One loan as it stands: what was loaded with the page, then what is told live.

import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'
import { useLiveRows } from '../live/use-live-rows.ts'
import { isOver } from './loan.ts'

type AnyLoan = { readonly loanId: string; readonly status: LoanStatus }

const keyOf = (loan: AnyLoan) => loan.loanId

export const useLiveLoan = <Loan extends AnyLoan>(loaded: Loan) => {
  const live = useLiveRows<Loan>({ topic: 'loans', filter: { loanId: loaded.loanId }, keyOf }, [loaded])
  // What was just loaded may be newer than what the socket has told, and the other way round: what is over stays over.
  const [told = loaded] = live.rows
  return { live, loan: isOver(loaded.status) ? loaded : told }
}
