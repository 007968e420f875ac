// What happened to a loan, in a sentence.

type Told = {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  /** What whoever caused it is called, where that is known. */
  readonly actorName?: string | undefined
}

export const eventText = ({ type, data, actorName }: Told): string => {
  switch (type) {
    case 'LoanRequested':
      return 'Applied for the loan'
    case 'CreditChecked':
      return `The credit bureau gave a score of ${data.score}`
    case 'AutoApproved':
      return 'Approved by the score'
    case 'AutoDenied':
      return 'Declined by the score'
    case 'ManualReviewRequired':
      return 'Put before an underwriter'
    case 'ManuallyApproved':
      return `Approved by ${actorName ?? data.decidedBy}`
    case 'ManuallyDenied':
      return `Declined by ${actorName ?? data.decidedBy}`
    case 'LoanWithdrawn':
      return 'Withdrawn by the applicant'
    case 'LoanAbandoned':
      return 'Closed: it never arrived whole'
    default:
      return type
  }
}
