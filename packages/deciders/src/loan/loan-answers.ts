// The answers of the API about loans: for applicants, for underwriters, a loan's past, and statistics.
import { z } from 'zod'
import { next } from '../query-fields.ts'
import { type LoanEvent, loanEvents } from './loan-events.ts'
import { loanViews } from './loan-policy.ts'

export const loanStatuses = ['checking', 'awaiting review', 'approved', 'denied', 'withdrawn', 'abandoned'] as const
export type LoanStatus = (typeof loanStatuses)[number]

/** The outcomes of a loan for underwriters. */
export const outcomes = ['approved', 'denied', 'withdrawn'] as const
export type Outcome = (typeof outcomes)[number]

const instant = z.string().meta({ examples: ['2026-11-21T09:30:00.000Z'] })
const euros = z.int().meta({ description: 'Whole euros.', examples: [10_000] })
const decidedByName = z
  .string()
  .optional()
  .meta({ description: 'What the underwriter is called, where that is known.' })

const viewersOf = (field: string): string => {
  const viewers = loanViews.filter(({ fields }) => (fields as readonly string[]).includes(field))
  return `Shown to: ${viewers.map(({ name }) => name).join(', ')}.`
}
const shownToSome = <Schema extends z.ZodType>(field: string, schema: Schema, before = '') =>
  schema.optional().meta({ description: before + viewersOf(field) })

export const seenLoan = z
  .object({
    loanId: z.uuid(),
    amount: euros,
    status: z.enum(loanStatuses),
    requestedAt: instant,
    decidedAt: z.string().nullable(),
    name: shownToSome('name', z.string()),
    address: shownToSome('address', z.string()),
    nationalId: shownToSome('nationalId', z.string(), 'Masked. '),
    score: shownToSome('score', z.int().nullable()),
    requestedByKind: shownToSome('requestedByKind', z.string()),
    requestedById: shownToSome('requestedById', z.string()),
    decidedBy: shownToSome('decidedBy', z.string().nullable()),
    reason: shownToSome('reason', z.string().nullable()),
    revision: shownToSome('revision', z.int()),
  })
  .meta({ id: 'Loan' })
export type SeenLoan = z.infer<typeof seenLoan>

/** The fields that every viewer sees. Pages for all viewers parse with these, so that they get no others. */
export const publicLoan = seenLoan.pick({
  loanId: true,
  amount: true,
  status: true,
  requestedAt: true,
  decidedAt: true,
})
export type PublicLoan = z.infer<typeof publicLoan>
export const publicLoans = z.object({ loans: z.array(publicLoan) })

export const loanPage = z.object({ loans: z.array(seenLoan), next })

export const loanHistory = z.object({
  events: z.array(
    z
      .object({
        type: z.enum(Object.keys(loanEvents.schemas) as [LoanEvent['type'], ...LoanEvent['type'][]]),
        revision: z.int(),
        recordedAt: z.iso.datetime(),
        actor: z.string().nullable().meta({ description: 'Who caused it.' }),
        actorName: z.string().optional().meta({ description: 'What they are called, where that is known.' }),
        data: z.record(z.string(), z.unknown()).meta({ description: 'The event, the national id masked.' }),
      })
      .meta({ id: 'LoanHistoryEvent' }),
  ),
})
export type LoanHistory = z.infer<typeof loanHistory>

/** In the order of an application. Without the revision, which is no fact of the loan. */
export const comparedFields = [
  'loanId',
  'name',
  'address',
  'nationalId',
  'amount',
  'status',
  'score',
  'requestedByKind',
  'requestedById',
  'requestedAt',
  'decidedBy',
  'reason',
  'decidedAt',
] as const satisfies readonly (keyof SeenLoan)[]
const value = z.union([z.string(), z.number(), z.null()])
const moment = z.object({
  revision: z.int(),
  at: z.iso.datetime().meta({ description: 'When the last event up to there was recorded.' }),
})

export const loanChanges = z
  .object({
    from: moment.nullable().meta({ description: 'Null when there was no loan yet: every field is new.' }),
    to: moment,
    changes: z
      .array(z.object({ field: z.enum(comparedFields), before: value, after: value }))
      .meta({ description: 'The fields that differ, of those that a loan shows you; the national id masked.' }),
  })
  .meta({ id: 'LoanChanges' })
export type LoanChanges = z.infer<typeof loanChanges>

const underwritingLoan = z
  .object({
    loanId: z.uuid(),
    name: z.string(),
    amount: euros,
    score: z.int().nullable().meta({ description: '1 to 10; null when it was withdrawn before the credit check.' }),
    status: z.enum(['checking', 'awaiting review', ...outcomes]),
    requestedAt: instant,
    decidedAt: z.string().nullable(),
    decidedBy: z.string().nullable().meta({ description: 'The underwriter; null when the score decided.' }),
    decidedByName,
    reason: z.string().nullable(),
    decidedAfterMs: z
      .int()
      .nullable()
      .meta({ description: "From the request to an underwriter's decision; null where none decided." }),
    revision: z.int().meta({ description: 'For `If-Match`.' }),
  })
  .meta({ id: 'UnderwritingLoan' })
export type SeenUnderwritingLoan = z.infer<typeof underwritingLoan>

export const underwritingPage = z.object({ loans: z.array(underwritingLoan), next })

const count = z.int()

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
