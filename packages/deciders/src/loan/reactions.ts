// The jobs that follow from the events of loans and applicants.
import type { ApplicantEvent } from './applicant.ts'
import type { LoanEvent } from './loan-events.ts'

/** A reservation without a loan is abandoned after this time. */
const abandonAfterMs = 10 * 60_000

/**
 * Each job reads the current loan, so that it is correct when it runs late or again.
 * - check credit: asks the bureau, if the score is still missing
 * - release application: releases the applicant of a loan that is over or deleted
 * - tell partner: sends the outcome to the webhooks of the partner that made the application
 * - abandon application: makes a request that never arrived impossible, then releases the applicant
 */
export type LoanJob = {
  readonly kind: 'check credit' | 'release application' | 'tell partner' | 'abandon application'
  readonly loanId: string
  /** Delay after the event. */
  readonly delayMs: number
}

/** A deleted loan has no later outcome that would release its applicant. */
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
    case 'LoanAbandoned': // the abandoning job also releases: only it knows the applicant
    case 'ApplicationReleased':
      return []
  }
}
