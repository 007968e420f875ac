// What underwriters are told by the API.
import { z } from 'zod'

const underwritingLoan = z.object({
  loanId: z.string(),
  name: z.string(),
  amount: z.number(),
  score: z.number().nullable(),
  status: z.enum(['checking', 'awaiting review', 'approved', 'denied', 'withdrawn']),
  requestedAt: z.string(),
  decidedAt: z.string().nullable(),
  decidedBy: z.string().nullable(),
  reason: z.string().nullable(),
})
export type UnderwritingLoan = z.infer<typeof underwritingLoan>

export const underwritingPage = z.object({ loans: z.array(underwritingLoan), next: z.string().nullable() })

export const statistics = z.object({
  waiting: z.object({ count: z.number(), amount: z.number() }),
  byDay: z.array(
    z.object({ day: z.string(), outcome: z.enum(['approved', 'denied', 'withdrawn']), count: z.number() }),
  ),
  scores: z.array(z.object({ score: z.number(), count: z.number() })),
  decisionTimes: z.array(z.object({ bucketMs: z.number().nullable(), count: z.number() })),
  medianMs: z.number().nullable(),
})

/** The parameters of a page's address that a list understands, as the query of the API. */
export const listQuery = (request: Request, names: readonly string[]): Record<string, string> => {
  const given = new URL(request.url).searchParams
  return Object.fromEntries(names.flatMap((name) => (given.get(name) ? [[name, String(given.get(name))]] : [])))
}
