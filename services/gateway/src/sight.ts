// What each kind of viewer may see of a loan.
import type { Actor } from '@headwater/deciders/policy'
import { type LoanRow, loanStatuses, publicLoan } from '@headwater/read-models/loans'
import { z } from 'zod'

export type Sight = 'public' | 'underwriter'

export const sightOf = (actor: Actor): Sight => (actor.roles.includes('underwriter') ? 'underwriter' : 'public')

const forUnderwriters = { description: 'For underwriters only.' }

export const seenLoan = z
  .object({
    loanId: z.uuid(),
    amount: z.int().meta({ description: 'Whole euros.', examples: [10_000] }),
    status: z.enum(loanStatuses),
    requestedAt: z.string().meta({ examples: ['2026-11-21T09:30:00.000Z'] }),
    decidedAt: z.string().nullable(),
    name: z.string().optional().meta(forUnderwriters),
    address: z.string().optional().meta(forUnderwriters),
    nationalId: z.string().optional().meta({ description: 'For underwriters only, and masked.' }),
    score: z.int().nullable().optional().meta(forUnderwriters),
    requestedByKind: z.string().optional().meta(forUnderwriters),
    requestedById: z.string().optional().meta(forUnderwriters),
    decidedBy: z.string().nullable().optional().meta(forUnderwriters),
    reason: z.string().nullable().optional().meta(forUnderwriters),
    revision: z.int().optional().meta(forUnderwriters),
  })
  .meta({ id: 'Loan' })

export type SeenLoan = z.infer<typeof seenLoan>

/** `555555AA` -> `••••••AA` */
export const masked = (nationalId: string): string => nationalId.replaceAll(/\d/g, '•')

export const loanAsSeen = (loan: LoanRow, sight: Sight): SeenLoan =>
  sight === 'underwriter' ? { ...loan, nationalId: masked(loan.nationalId) } : publicLoan(loan)
