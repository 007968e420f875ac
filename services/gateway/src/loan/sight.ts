// What each kind of viewer is shown of a loan: the fields that the policy names, the national id never whole.
import type { SeenLoan } from '@headwater/deciders/loan/loan-answers'
import type { LoanView } from '@headwater/deciders/loan/loan-policy'
import type { LoanRow } from '@headwater/read-models/loan/loans'

/** `555555AA` -> `••••••AA` */
export const masked = (nationalId: string): string => nationalId.replaceAll(/\d/g, '•')

export const loanAsSeen = (loan: LoanRow, { fields }: LoanView): SeenLoan => {
  const shown = { ...loan, nationalId: masked(loan.nationalId) }
  return Object.fromEntries(fields.map((field) => [field, shown[field]])) as SeenLoan
}
