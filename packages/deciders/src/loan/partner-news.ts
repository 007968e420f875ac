// What the partner that requested a loan is told about its outcome: no more than what it knows anyway, and the decision.
import type { LoanEvent, RequestedBy } from './loan-events.ts'

/** The outcomes, by the events that are one. */
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

/** Without personal data: who it is about is known to whoever made the application. */
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

/** The partner that is told, if a partner made the application. */
export const partnerOf = ({ kind, id }: RequestedBy): string | undefined => (kind === 'partner' ? id : undefined)
