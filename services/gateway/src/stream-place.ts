// A place in the past of a stream, as queries name one: by the revision of an event, or by a moment.
import type { StoredEvent } from '@headwater/eventstore/codec'
import { Problem } from '@headwater/http-kit/commands/problem'

/** `moment` is by the clock of the event store. */
export type Place = { readonly revision: bigint } | { readonly moment: Date }

/** The place that a query parameter names. */
export const placeOf = (text: string): Place =>
  /^\d+$/.test(text) ? { revision: BigInt(text) } : { moment: new Date(text) }

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
