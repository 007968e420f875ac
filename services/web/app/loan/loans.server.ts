// Loans as the API tells them to anybody.
import { z } from 'zod'

export const publicLoan = z.object({
  loanId: z.string(),
  amount: z.number(),
  status: z.enum(['checking', 'awaiting review', 'approved', 'denied', 'withdrawn', 'abandoned']),
  requestedAt: z.string(),
  decidedAt: z.string().nullable(),
})

export const loanList = z.object({ loans: z.array(publicLoan) })
