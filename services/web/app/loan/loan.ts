// How loans are told to people: names of statuses, amounts, reference numbers.
import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'

export const statusText: Readonly<Record<LoanStatus, string>> = {
  checking: 'Checking credit',
  'awaiting review': 'In review',
  approved: 'Approved',
  denied: 'Declined',
  withdrawn: 'Withdrawn',
  abandoned: 'Not completed',
}

const euros = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 })
export const eurosText = (amount: number): string => euros.format(amount)

/** Short enough to be read out on the phone: the first eight digits of the loan's id. */
export const referenceOf = (loanId: string): string => `${loanId.slice(0, 4)}-${loanId.slice(4, 8)}`.toUpperCase()

/** No command is possible any more. */
export const isOver = (status: LoanStatus): boolean => status !== 'checking' && status !== 'awaiting review'
