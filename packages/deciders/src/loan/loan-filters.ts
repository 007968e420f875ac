// Filters and orders of lists of loans, over HTTP and live alike.
import { z } from 'zod'
import { field, lineOfText, optionalText, uuid } from '../fields.ts'
import { after, cursor, day, pageSize } from '../query-fields.ts'
import { loanStatuses, outcomes } from './loan-answers.ts'

const searchLengthMax = 120
const scoreMin = 1
const scoreMax = 10
const daysMax = 366
const daysDefault = 30

/** Sort columns, which are never null in the listed loans. */
export const queueSorts = ['requestedAt', 'amount', 'score'] as const
export const historySorts = ['decidedAt', 'requestedAt', 'amount'] as const
export const directions = ['asc', 'desc'] as const

const search = optionalText(lineOfText(searchLengthMax))

const percentDecoded = field('percent-encoded', z.string()).transform((text, context): unknown => {
  try {
    // Header bytes beyond ASCII have no defined encoding.
    if (/[^ -~]/.test(text)) throw new URIError()
    return decodeURIComponent(text)
  } catch {
    context.issues.push({ code: 'custom', input: text, message: 'percent-encoded UTF-8' })
    return z.NEVER
  }
})

/** Names are searched by header, because histories and logs keep URLs. */
export const searchHeaders = z.object({
  'headwater-search': percentDecoded.pipe(search).optional().meta({
    description: "Part of the applicant's name, or the beginning of the loan's id; percent-encoded UTF-8.",
  }),
})

const status = z.enum(loanStatuses).optional()
const score = z.coerce.number().int().min(scoreMin).max(scoreMax).optional()
const queueOrder = {
  sort: z.enum(queueSorts).default('requestedAt'),
  direction: z.enum(directions).default('asc'),
}
const history = {
  outcome: z.enum(outcomes).optional(),
  from: day.meta({ description: 'The first day (UTC) of the decisions.' }),
  to: day.meta({ description: 'The last day (UTC) of the decisions.' }),
  sort: z.enum(historySorts).default('decidedAt'),
  direction: z.enum(directions).default('desc'),
}
const paging = { cursor, limit: pageSize, after }

export const loansQuery = z.strictObject({ status, ...paging })
export const liveLoansFilter = z.strictObject({ status, loanId: uuid.optional() }).prefault({})
export const queueQuery = z.strictObject({ score, ...queueOrder, ...paging })
/** Never part of a URL. */
export const liveQueueFilter = z.strictObject({ search, score, ...queueOrder }).prefault({})
export const historyQuery = z.strictObject({ ...history, ...paging })
export const historyFileQuery = z.strictObject({ ...history, after })
export const statisticsQuery = z.strictObject({
  days: z.coerce
    .number()
    .int()
    .min(1)
    .max(daysMax)
    .default(daysDefault)
    .meta({ description: 'How many days `byDay` goes back, today (UTC) included.' }),
  after,
})
