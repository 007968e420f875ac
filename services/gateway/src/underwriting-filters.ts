// How the lists of underwriters can be narrowed down and ordered, over HTTP and live alike.
import { outcomes } from '@headwater/read-models/underwriting'
import { directions, historySorts, queueSorts } from '@headwater/read-models/underwriting-queries'
import { z } from 'zod'

const searchLengthMax = 120
const scoreMin = 1
const scoreMax = 10

const search = z
  .string()
  .trim()
  .max(searchLengthMax, `at most ${searchLengthMax} characters`)
  // A search form that is sent empty searches for nothing.
  .transform((text) => text || undefined)
  .optional()
  .meta({ description: "Part of the applicant's name, or the beginning of the loan's id." })

export const queueFilter = {
  search,
  score: z.coerce.number().int().min(scoreMin).max(scoreMax).optional(),
}

export const queueOrder = {
  sort: z.enum(queueSorts).default('requestedAt'),
  direction: z.enum(directions).default('asc'),
}

const day = z.iso.date('a day such as 2026-11-21').optional()

export const historyFilter = {
  search,
  outcome: z.enum(outcomes).optional(),
  from: day.meta({ description: 'The first day (UTC) of the decisions.' }),
  to: day.meta({ description: 'The last day (UTC) of the decisions.' }),
}

export const historyOrder = {
  sort: z.enum(historySorts).default('decidedAt'),
  direction: z.enum(directions).default('desc'),
}
