// Reads for a query: once the read model has reached the position that the caller asks for, or when that takes too long.
import { comparePosition, formatPosition, parsePosition } from '@headwater/eventstore/position'
import type { Snapshot } from '@headwater/read-models/changes'
import type { Reader } from '@headwater/read-models/reader'
import { z } from 'zod'

const waitMsMax = 2_000

/** The query parameter `after`. */
export const after = z
  .string()
  .refine((text) => parsePosition(text) !== undefined, 'a position as this API gives it, such as 4711/4711')
  .optional()
  .meta({
    description: `A position from a command's answer: waits up to ${waitMsMax} ms until the answer includes it; if it still does not, the answer carries \`Headwater-Stale: true\`.`,
  })

/**
 * Every answer says up to which position of the event store it is true, and whether something is missing from it.
 * @param of the stream that the answer is about; otherwise any may be
 */
export const readAfter = async <T>(
  reader: Pick<Reader, 'waitFor'>,
  after: string | undefined,
  read: () => Snapshot<T> | Promise<Snapshot<T>>,
  of?: string,
) => {
  const position = after === undefined ? undefined : parsePosition(after)
  if (position) await reader.waitFor(position, waitMsMax)
  const { value, checkpoint, parkedStreams } = await read()
  const stale = position !== undefined && comparePosition(checkpoint, position) < 0
  const parked = of === undefined ? parkedStreams.length : Number(parkedStreams.includes(of))
  const headers = {
    'cache-control': 'no-store',
    'headwater-position': formatPosition(checkpoint),
    ...(stale ? { 'headwater-stale': 'true' } : {}),
    ...(parked > 0 ? { 'headwater-parked': String(parked) } : {}),
  }
  return { value, stale, parked: parked > 0, headers }
}
