// How the lists of underwriters can be narrowed down and ordered, over HTTP and live alike.
import { field, lineOfText, optionalText } from '@headwater/deciders/fields'
import { outcomes } from '@headwater/read-models/loan/underwriting'
import { directions, historySorts, queueSorts } from '@headwater/read-models/loan/underwriting-queries'
import { z } from 'zod'
import { day } from '../answers.ts'

const searchLengthMax = 120
const scoreMin = 1
const scoreMax = 10

const search = optionalText(lineOfText(searchLengthMax))

const percentDecoded = field('percent-encoded', z.string()).transform((text, context): unknown => {
  try {
    // Bytes beyond ASCII in a header have no known encoding.
    if (/[^ -~]/.test(text)) throw new URIError()
    return decodeURIComponent(text)
  } catch {
    context.issues.push({ code: 'custom', input: text, message: 'percent-encoded UTF-8' })
    return z.NEVER
  }
})

/** A name is looked for in a header: addresses are kept in histories and logs. */
export const searchHeaders = z.object({
  'headwater-search': percentDecoded.pipe(search).optional().meta({
    description: "Part of the applicant's name, or the beginning of the loan's id; percent-encoded UTF-8.",
  }),
})

export const queueFilter = {
  score: z.coerce.number().int().min(scoreMin).max(scoreMax).optional(),
}

/** Live, where nothing is part of an address. */
export const liveQueueFilter = { search, ...queueFilter }

export const queueOrder = {
  sort: z.enum(queueSorts).default('requestedAt'),
  direction: z.enum(directions).default('asc'),
}

export const historyFilter = {
  outcome: z.enum(outcomes).optional(),
  from: day.meta({ description: 'The first day (UTC) of the decisions.' }),
  to: day.meta({ description: 'The last day (UTC) of the decisions.' }),
}

export const historyOrder = {
  sort: z.enum(historySorts).default('decidedAt'),
  direction: z.enum(directions).default('desc'),
}
