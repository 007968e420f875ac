// What the allowed credentials of a request mean for loans: which are its sender's, how they are seen, as whom to act.
import { loanNotFound } from '@headwater/deciders/loan/loan'
import { type LoanView, loanOfCapability, loanViewOf, requesterOf } from '@headwater/deciders/loan/loan-policy'
import type { Allowed } from '@headwater/http-kit/access/access'
import type { OwnedLoans } from '@headwater/read-models/loan/loans'

export type LoanViewer = {
  readonly sight: LoanView
  /** No others are shown; undefined for who sees all. */
  readonly owned: OwnedLoans | undefined
}

/** @param allowed at least one, by rules of loans */
export const loanViewerOf = (allowed: readonly Allowed[]): LoanViewer => {
  const [best] = [...allowed.filter(({ permission }) => permission === 'yes'), ...allowed]
  const sight = best && loanViewOf(best.actor)
  if (!sight) throw new Error('whoever sees no loan is refused before')
  if (best.permission === 'yes') return { sight, owned: undefined }
  const actors = allowed.map(({ actor }) => actor)
  return {
    sight,
    owned: {
      requestedBy: actors.filter(({ kind }) => kind === 'person' || kind === 'partner').map(requesterOf),
      loanIds: actors.flatMap((actor) => loanOfCapability(actor) ?? []),
    },
  }
}

/**
 * The credential to send a command on a loan with. Whose the loan is only its service knows, except for capabilities.
 * @throws Rejection `loan_not_found`
 */
export const credentialForLoan = (allowed: readonly Allowed[], loanId: string | undefined): Allowed => {
  const capable = allowed.filter(({ actor }) => actor.kind === 'capability' && loanOfCapability(actor) === loanId)
  const others = allowed.filter(({ actor }) => actor.kind !== 'capability')
  const [best] = [...allowed.filter(({ permission }) => permission === 'yes'), ...capable, ...others]
  if (!best) throw loanNotFound()
  return best
}
