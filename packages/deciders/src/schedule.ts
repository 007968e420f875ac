// What is done by the clock: a job for each period.
import type { RequestedJob } from './reaction.ts'

export type Schedule = {
  /** Of all contexts. Stored: it never changes. */
  readonly name: string
  /** Periods begin at multiples of this since 1970, in UTC, and are counted: it changes only together with the name. */
  readonly everyMs: number
  /** Of periods that passed while no process looked: each is done, only the last, or none. */
  readonly catchUp: 'all' | 'last' | 'skip'
  /** @param periodStart an instant */
  readonly job: (periodStart: string) => RequestedJob
}
