// What follows from the events of loans and applicants: jobs, which services/jobs keeps until they are done.
import type { ApplicantEvent } from './applicant.ts'
import type { LoanEvent } from './loan-events.ts'

/** A reserved application that has come to nothing after so long is given up. */
const abandonAfterMs = 10 * 60_000

/**
 * Each job looks at the loan as it is when the job runs, so none is wrong when it runs late or again.
 * - check credit: ask the bureau, if the score is still missing
 * - release application: the loan is over or deleted, its applicant may apply again
 * - tell partner: the loan has an outcome; if a partner made the application, its webhooks are told
 * - abandon application: see to it that a request which never arrived cannot arrive any more, then release
 */
export type LoanJob = {
  readonly kind: 'check credit' | 'release application' | 'tell partner' | 'abandon application'
  readonly loanId: string
  /** After the event. */
  readonly delayMs: number
}

/** A deleted loan will have no outcome. */
export const reactToDeletion = (loanId: string): readonly LoanJob[] => [
  { kind: 'release application', loanId, delayMs: 0 },
]

export const react = ({ type, data: { loanId } }: LoanEvent | ApplicantEvent): readonly LoanJob[] => {
  switch (type) {
    case 'LoanRequested':
      return [{ kind: 'check credit', loanId, delayMs: 0 }]
    case 'AutoApproved':
    case 'AutoDenied':
    case 'ManuallyApproved':
    case 'ManuallyDenied':
    case 'LoanWithdrawn':
      return [
        { kind: 'release application', loanId, delayMs: 0 },
        { kind: 'tell partner', loanId, delayMs: 0 },
      ]
    case 'ApplicationReserved':
      return [{ kind: 'abandon application', loanId, delayMs: abandonAfterMs }]
    case 'CreditChecked':
    case 'ManualReviewRequired':
    case 'LoanAbandoned': // the job that abandons releases as well: only it knows whose the reservation is
    case 'ApplicationReleased':
      return []
  }
}
