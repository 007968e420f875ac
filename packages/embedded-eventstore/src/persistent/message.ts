// An event on its way to consumers.
import type { Place } from './settings.ts'
import type { Read } from './source.ts'

export type Message = Omit<Read, 'place'> & {
  /** Its place in the source; undefined for a parked event, which does not count for the checkpoint. */
  readonly place: Place | undefined
  /** Numbers events as they are read, so that retries keep their order. */
  readonly sequence: number
  readonly retryCount: number
}
