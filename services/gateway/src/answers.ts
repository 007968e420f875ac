// What the descriptions of queries have in common.
import { field } from '@headwater/deciders/fields'
import { problemSchema } from '@headwater/http-kit/commands/problem'
import { parseCursor } from '@headwater/projections/model/cursor'
import { z } from 'zod'

const pageSizeMax = 100
const pageSizeDefault = 20

/** The query parameter `limit`. */
export const pageSize = z.coerce.number().int().min(1).max(pageSizeMax).default(pageSizeDefault)

/** The query parameter `cursor` of lists with an order of their own choice. */
export const anyCursor = field('cursor', z.string().regex(/^[\w-]{1,400}$/, 'a `next` of this API'))

/** The query parameter `cursor`. */
export const cursor = anyCursor
  .transform((text, { issues, value }) => {
    const parsed = parseCursor(text)
    if (parsed) return parsed
    issues.push({ code: 'custom', input: value, message: 'a `next` of this API' })
    return z.NEVER
  })
  .optional()

/** The first or the last day (UTC) of what is asked for. */
export const day = field('day', z.iso.date('a day such as 2026-11-21')).optional()

export const problemAnswer = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})
