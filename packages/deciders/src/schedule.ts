// Defines schedules: one job per period of the clock.
import type { RequestedJob } from './reaction.ts'

export type Schedule = {
  /** Unique among contexts. Stored, so it must never change. */
  readonly name: string
  /** Periods begin at multiples of this since 1970 in UTC and are numbered: change it only together with the name. */
  readonly everyMs: number
  /** Which missed periods are done: each, only the last, or none. */
  readonly catchUp: 'all' | 'last' | 'skip'
  /** @param periodStart an instant */
  readonly job: (periodStart: string) => RequestedJob
}
