// Fields shared by queries: for paging, waiting for a position, and naming a moment.
import { z } from 'zod'
import { field, instant } from './fields.ts'

const pageSizeMax = 100
const pageSizeDefault = 20
/** Limit on waiting for the position in `after`. */
export const afterWaitMsMax = 2_000

/** The query parameter `limit`. */
export const pageSize = z.coerce.number().int().min(1).max(pageSizeMax).default(pageSizeDefault)

/** The query parameter `cursor`, in a format of its list. */
export const cursor = field('cursor', z.string().regex(/^[\w-]{1,400}$/, 'a `next` of this API')).optional()

/** The field `next` of a page. */
export const next = z.string().nullable().meta({ description: 'The `cursor` of the next page; null on the last.' })

/** The first or the last day (UTC) of a search. */
export const day = field('day', z.iso.date('a day such as 2026-11-21')).optional()

const unsigned64Max = 0xffff_ffff_ffff_ffffn
const isPosition = (text: string): boolean =>
  /^(0|[1-9]\d{0,19})\/(0|[1-9]\d{0,19})$/.test(text) && text.split('/').every((part) => BigInt(part) <= unsigned64Max)

/** The query parameter `after`. */
export const after = field(
  'position',
  z.string().refine(isPosition, 'a position as this API gives it, such as 4711/4711'),
)
  .optional()
  .meta({
    description: `A position from a command's answer: waits up to ${afterWaitMsMax} ms until the answer includes it; if it still does not, the answer carries \`Headwater-Stale: true\`.`,
  })

const isPlace = (text: string): boolean => /^\d{1,18}$/.test(text) || instant.safeParse(text).success

/** A query parameter for a point in the past of a stream: the revision of an event, or a moment. */
export const place = field(
  'place',
  z
    .string()
    .refine(
      isPlace,
      'a revision such as 2, or a moment such as 2026-11-21T09:30:00Z (in an address, + is written %2B)',
    ),
)
