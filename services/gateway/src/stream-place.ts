// A place in the past of a stream, as queries name one: by the revision of an event, or by a moment.

import { field } from '@headwater/deciders/fields'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { Problem } from '@headwater/http-kit/commands/problem'
import { z } from 'zod'

/** `moment` is by the clock of the event store. */
export type Place = { readonly revision: bigint } | { readonly moment: Date }

const revisionText = /^\d{1,18}$/
const momentText = z.iso.datetime({ offset: true })

const parsePlace = (text: string): Place | undefined => {
  if (revisionText.test(text)) return { revision: BigInt(text) }
  const moment = new Date(text)
  return momentText.safeParse(text).success && !Number.isNaN(moment.getTime()) ? { moment } : undefined
}

/** A query parameter that names a place. */
export const place = field('place', z.string()).transform((text, context): Place => {
  const parsed = parsePlace(text)
  if (parsed) return parsed
  const message = 'a revision such as 2, or a moment such as 2026-11-21T09:30:00Z (in an address, + is written %2B)'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

/**
 * The events up to a place: with that of the revision, or before the first that was recorded after the moment.
 * @param events of one stream, all of them
 * @throws Problem 404 `revision_not_found` where there is no such revision yet
 */
export const eventsUpTo = (events: readonly StoredEvent[], place: Place): readonly StoredEvent[] => {
  if ('revision' in place) {
    const found = events.findIndex(({ revision }) => revision === place.revision)
    if (found < 0)
      throw new Problem(
        404,
        'revision_not_found',
        `There is no revision ${place.revision}: the last is ${events.at(-1)?.revision}.`,
      )
    return events.slice(0, found + 1)
  }
  const later = events.findIndex(({ recordedAt }) => recordedAt > place.moment)
  return later < 0 ? events : events.slice(0, later)
}
