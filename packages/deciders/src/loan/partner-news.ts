// The notification of a partner about the outcome of its loan: only the decision and facts that the partner has.
import type { LoanEvent, RequestedBy } from './loan-events.ts'

/** Outcomes by event type. */
const outcomes = {
  AutoApproved: 'approved',
  ManuallyApproved: 'approved',
  AutoDenied: 'denied',
  ManuallyDenied: 'denied',
  LoanWithdrawn: 'withdrawn',
} as const

type OutcomeEvent = Extract<LoanEvent, { readonly type: keyof typeof outcomes }>
type Status = (typeof outcomes)[OutcomeEvent['type']]

export const isOutcome = (event: LoanEvent): event is OutcomeEvent => event.type in outcomes

/** Without personal data: the partner knows the applicant. */
export type PartnerNews = {
  readonly type: `loan.${Status}`
  readonly loanId: string
  readonly occurredAt: string
  readonly data: { readonly status: Status; readonly amount: number }
}

/** @param requested the loan's first event */
export const partnerNews = (
  event: OutcomeEvent,
  { amount }: Extract<LoanEvent, { readonly type: 'LoanRequested' }>['data'],
): PartnerNews => {
  const status = outcomes[event.type]
  const { data } = event
  return {
    type: `loan.${status}`,
    loanId: data.loanId,
    occurredAt: 'decidedAt' in data ? data.decidedAt : data.withdrawnAt,
    data: { status, amount },
  }
}

/** The partner to notify, if a partner made the application. */
export const partnerOf = ({ kind, id }: RequestedBy): string | undefined => (kind === 'partner' ? id : undefined)
