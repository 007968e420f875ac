// What the descriptions of queries have in common.
import { problemSchema } from '@headwater/http-kit/problem'
import { z } from 'zod'

const pageSizeMax = 100
const pageSizeDefault = 20

/** The query parameter `limit`. */
export const pageSize = z.coerce.number().int().min(1).max(pageSizeMax).default(pageSizeDefault)

export const problemAnswer = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})
