// An event on its way to consumers.
import type { Place } from './settings.ts'
import type { Read } from './source.ts'

export type Message = Omit<Read, 'place'> & {
  /** In the source; undefined when it comes from the parked ones, which no checkpoint waits for. */
  readonly place: Place | undefined
  /** Counts what was read, so that what is handed out again keeps its order. */
  readonly sequence: number
  readonly retryCount: number
}
