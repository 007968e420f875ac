// A loan's status as a word with a mark; the mark's shape says it too, not only its colour.
import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'
import { statusText } from '../loan/loan.ts'

export const Status = ({ status }: { status: LoanStatus }) => (
  <span className="status" data-status={status}>
    {statusText[status]}
  </span>
)
