// Stores the checkpoint of a group at intervals, so that a restart resumes from it.

import { jsonEvent, ownAppend, ownMetadata } from '../store/own-events.ts'
import type { Store } from '../store/store.ts'
import { lastJson, writeAll } from './own-streams.ts'
import { checkpointStream, type Place, type Settings } from './settings.ts'
import type { EventSource } from './source.ts'

/** The last two are kept, as in EventStoreDB. */
const kept = 2

export const createCheckpoint = (store: Store, key: string, source: EventSource, settings: Settings) => {
  const streamName = checkpointStream(key)
  const storedText = lastJson(store, streamName)
  const stored = typeof storedText === 'string' ? source.parse(storedText) : undefined
  let written: Place | undefined = stored
  let writtenCount = 0
  let writtenAtMs = performance.now()
  let writing = false

  const write = async (place: Place, count: number): Promise<void> => {
    writing = true
    const entry = ownAppend(streamName, [jsonEvent('$SubscriptionCheckpoint', source.write(place))])
    const isFirst = store.names.head(streamName).revision < 0
    try {
      await writeAll(store, isFirst ? [ownMetadata(streamName, { $maxCount: kept }), entry] : [entry])
      written = place
      writtenCount = count
      writtenAtMs = performance.now()
    } catch {
      // A failed checkpoint is offered again; until then a crash leads to more repeated events.
    } finally {
      writing = false
    }
  }

  return {
    /** The checkpoint of the last run; undefined when there is none. */
    stored: () => stored,
    written: () => (written === undefined ? '' : source.write(written)),
    /**
     * @param place all events up to it are handled
     * @param count of handled events since the start
     * @param isTick true once per second, when the time limit is checked
     */
    offer: (place: Place, count: number, isTick: boolean): void => {
      const more = count - writtenCount
      if (writing || place < 0 || more <= 0 || (written !== undefined && place <= written)) return
      const isDue =
        isTick && performance.now() - writtenAtMs >= settings.checkpointAfterMs && more >= settings.minCheckpointCount
      if (isDue || more >= Math.max(1, settings.maxCheckpointCount)) void write(place, count)
    },
  }
}
