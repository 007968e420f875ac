// Which refusals pass by themselves: what asked is tried again, however long it takes.
import { Rejection } from '@headwater/deciders/decider'

const outages = [
  'event_store_unavailable',
  'overloaded',
  'conflict',
  // A newer release has written what this one cannot read, and will replace it.
  'unknown_event_type',
]

/** The code of a refusal that passes by itself. @param transient codes that do so as well */
export const passingCode = (error: unknown, transient: readonly string[] = []): string | undefined =>
  error instanceof Rejection && [...outages, ...transient].includes(error.code) ? error.code : undefined
