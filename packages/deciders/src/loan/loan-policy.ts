// Whose a loan is, and which of its fields a viewer sees.
import { type Actor, may, owner, type Rules, role } from '../policy.ts'
import type { RequestedBy } from './loan-events.ts'

/** For applicants and partners their own. */
export const someLoans: Rules = [role('underwriter'), role('operator'), owner('loans:read')]
const underwriters: Rules = [role('underwriter')]

/** How long the link to an application can be opened. */
export const linkDaysMax = 30

/** Of the ways to see a loan, the first whose rules allow it is the viewer's. */
export const loanSights = [
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
  // No personal data: whose application it is shows in no field.
  {
    name: 'operator',
    rules: [role('operator')],
    fields: ['loanId', 'amount', 'status', 'requestedAt', 'decidedAt', 'requestedByKind', 'revision'],
  },
  // How one was scored, by whom decided and why is the lender's own.
  {
    name: 'owner',
    rules: [owner('loans:read')],
    fields: ['loanId', 'amount', 'status', 'requestedAt', 'decidedAt'],
  },
] as const satisfies readonly { readonly name: string; readonly rules: Rules; readonly fields: readonly string[] }[]

export type LoanSight = (typeof loanSights)[number]

/** How the actor sees loans, those that are theirs where the sight is an owner's; undefined for who sees none. */
export const loanSightOf = (actor: Actor): LoanSight | undefined =>
  loanSights.find(({ rules }) => may(actor, rules) !== 'no')

/** What a capability for the loan has as its `sub` and scope. */
export const loanCapability = (loanId: string): string => `loan:${loanId}`

/** The loan that a capability is for. */
export const loanOfCapability = ({ kind, sub }: Actor): string | undefined =>
  kind === 'capability' && sub.startsWith(loanCapability('')) ? sub.slice(loanCapability('').length) : undefined

/** A capability names its loan, so that one needs no reading. */
export const ownsLoan = (actor: Actor, loanId: string, requestedBy: RequestedBy | undefined): boolean => {
  if (actor.kind === 'capability') return loanOfCapability(actor) === loanId
  if (actor.kind === 'anonymous') return false
  return requestedBy?.kind === actor.kind && requestedBy.id === actor.sub
}

/** Who an application is from, for the record. */
export const requesterOf = ({ kind, sub }: Actor): RequestedBy =>
  kind === 'person' || kind === 'partner' ? { kind, id: sub } : { kind: 'anonymous', id: 'anonymous' }
