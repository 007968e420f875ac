// What happened to a loan, in a sentence.
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'

type Told = {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** What whoever caused it is called, where that is known. */
  readonly actorName?: string | undefined
}

const texts: Readonly<Record<LoanEvent['type'], (told: Told) => string>> = {
  LoanRequested: () => 'Applied for the loan',
  CreditChecked: ({ data }) => `The credit bureau gave a score of ${data.score}`,
  AutoApproved: () => 'Approved by the score',
  AutoDenied: () => 'Declined by the score',
  ManualReviewRequired: () => 'Put before an underwriter',
  ManuallyApproved: ({ data, actorName }) => `Approved by ${actorName ?? data.decidedBy}`,
  ManuallyDenied: ({ data, actorName }) => `Declined by ${actorName ?? data.decidedBy}`,
  LoanWithdrawn: () => 'Withdrawn by the applicant',
  LoanAbandoned: () => 'Closed: it never arrived whole',
}
const hasText = (type: string): type is LoanEvent['type'] => Object.hasOwn(texts, type)

/** What a newer service tells of is shown by its name. */
export const eventText = (told: Told): string => (hasText(told.type) ? texts[told.type](told) : told.type)
