// Ownership of loans, and the fields that each viewer sees.
import { type Actor, may, owner, type Rules, role } from '../policy.ts'
import type { RequestedBy } from './loan-events.ts'

/** Applicants and partners see only their own. */
export const someLoans: Rules = [role('underwriter'), role('operator'), owner('loans:read')]
const underwriters: Rules = [role('underwriter')]

/** Validity of the link to an application. */
export const linkDaysMax = 30

/** Views of a loan. A viewer gets the first one whose rules allow it. */
export const loanViews = [
  {
    name: 'underwriter',
    rules: underwriters,
    fields: [
      'loanId',
      'amount',
      'status',
      'requestedAt',
      'decidedAt',
      'name',
      'address',
      'nationalId',
      'score',
      'requestedByKind',
      'requestedById',
      'decidedBy',
      'reason',
      'revision',
    ],
  },
  // No personal data: no field identifies the applicant.
  {
    name: 'operator',
    rules: [role('operator')],
    fields: ['loanId', 'amount', 'status', 'requestedAt', 'decidedAt', 'requestedByKind', 'revision'],
  },
  // The score, the decider and the reason are internal to the lender.
  {
    name: 'owner',
    rules: [owner('loans:read')],
    fields: ['loanId', 'amount', 'status', 'requestedAt', 'decidedAt'],
  },
] as const satisfies readonly { readonly name: string; readonly rules: Rules; readonly fields: readonly string[] }[]

export type LoanView = (typeof loanViews)[number]

/** The view of an actor, only of their own loans in the view `owner`; undefined for actors without any. */
export const loanViewOf = (actor: Actor): LoanView | undefined =>
  loanViews.find(({ rules }) => may(actor, rules) !== 'no')

/** The `sub` and scope of a capability for the loan. */
export const loanCapability = (loanId: string): string => `loan:${loanId}`

/** The loan that a capability is for. */
export const loanOfCapability = ({ kind, sub }: Actor): string | undefined =>
  kind === 'capability' && sub.startsWith(loanCapability('')) ? sub.slice(loanCapability('').length) : undefined

/** A capability names its loan; other actors are compared with `requestedBy`. */
export const ownsLoan = (actor: Actor, loanId: string, requestedBy: RequestedBy | undefined): boolean => {
  if (actor.kind === 'capability') return loanOfCapability(actor) === loanId
  if (actor.kind === 'anonymous') return false
  return requestedBy?.kind === actor.kind && requestedBy.id === actor.sub
}

/** The recorded requester of an application. */
export const requesterOf = ({ kind, sub }: Actor): RequestedBy =>
  kind === 'person' || kind === 'partner' ? { kind, id: sub } : { kind: 'anonymous', id: 'anonymous' }
