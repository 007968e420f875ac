// What underwriters are shown of the read model `underwriting`, as the API describes it.
import { outcomes, type UnderwritingLoan } from '@headwater/read-models/loan/underwriting'
import { z } from 'zod'

const underwritingLoan = z
  .object({
    loanId: z.uuid(),
    name: z.string(),
    amount: z.int().meta({ description: 'Whole euros.', examples: [10_000] }),
    score: z.int().nullable().meta({ description: '1 to 10; null when it was withdrawn before the credit check.' }),
    status: z.enum(['checking', 'awaiting review', ...outcomes]),
    requestedAt: z.string().meta({ examples: ['2026-11-21T09:30:00.000Z'] }),
    decidedAt: z.string().nullable(),
    decidedBy: z.string().nullable().meta({ description: 'The underwriter; null when the score decided.' }),
    decidedByName: z.string().optional().meta({ description: 'What the underwriter is called, where that is known.' }),
    reason: z.string().nullable(),
    decidedAfterMs: z
      .int()
      .nullable()
      .meta({ description: "From the request to an underwriter's decision; null where none decided." }),
    revision: z.int().meta({ description: 'For `If-Match`.' }),
  })
  .meta({ id: 'UnderwritingLoan' })

export type SeenUnderwritingLoan = z.infer<typeof underwritingLoan>

export const underwritingLoanAsSeen = ({ foldedName: _, ...loan }: UnderwritingLoan): SeenUnderwritingLoan => loan

const count = z.int()

export const underwritingPage = z.object({
  loans: z.array(underwritingLoan),
  next: z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' }),
})

export const underwritingStatistics = z
  .object({
    waiting: z.object({ count, amount: z.int().meta({ description: 'Whole euros.' }) }),
    byDay: z
      .array(z.object({ day: z.iso.date(), outcome: z.enum(outcomes), count, amount: z.int() }))
      .readonly()
      .meta({ description: 'By day (UTC) and outcome, the oldest day first; what did not happen is left out.' }),
    scores: z
      .array(z.object({ score: z.int(), count }))
      .readonly()
      .meta({ description: 'All ten scores.' }),
    decisionTimes: z
      .array(z.object({ bucketMs: z.int().nullable(), count }))
      .readonly()
      .meta({ description: "Underwriters' decisions that took up to so long; null: longer than all before." }),
    medianMs: z.int().nullable().meta({ description: "Of the underwriters' decisions; null when there is none." }),
  })
  .meta({ id: 'UnderwritingStatistics' })
