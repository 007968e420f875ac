// What each kind of viewer is shown of a loan: the fields that the policy names, the national id never whole.
import { type LoanSight, loanSights } from '@headwater/deciders/loan/loan-policy'
import { type LoanRow, loanStatuses } from '@headwater/read-models/loan/loans'
import { z } from 'zod'

const seenBy = (field: keyof LoanRow) => {
  const viewers = loanSights.filter(({ fields }) => (fields as readonly string[]).includes(field))
  return { description: `Shown to: ${viewers.map(({ name }) => name).join(', ')}.` }
}

export const seenLoan = z
  .object({
    loanId: z.uuid(),
    amount: z.int().meta({ description: 'Whole euros.', examples: [10_000] }),
    status: z.enum(loanStatuses),
    requestedAt: z.string().meta({ examples: ['2026-11-21T09:30:00.000Z'] }),
    decidedAt: z.string().nullable(),
    name: z.string().optional().meta(seenBy('name')),
    address: z.string().optional().meta(seenBy('address')),
    nationalId: z
      .string()
      .optional()
      .meta({ description: `Masked. ${seenBy('nationalId').description}` }),
    score: z.int().nullable().optional().meta(seenBy('score')),
    requestedByKind: z.string().optional().meta(seenBy('requestedByKind')),
    requestedById: z.string().optional().meta(seenBy('requestedById')),
    decidedBy: z.string().nullable().optional().meta(seenBy('decidedBy')),
    reason: z.string().nullable().optional().meta(seenBy('reason')),
    revision: z.int().optional().meta(seenBy('revision')),
  })
  .meta({ id: 'Loan' })

export type SeenLoan = z.infer<typeof seenLoan>

/** `555555AA` -> `••••••AA` */
export const masked = (nationalId: string): string => nationalId.replaceAll(/\d/g, '•')

export const loanAsSeen = (loan: LoanRow, { fields }: LoanSight): SeenLoan => {
  const shown = { ...loan, nationalId: masked(loan.nationalId) }
  return Object.fromEntries(fields.map((field) => [field, shown[field]])) as SeenLoan
}
