// How far a group is, written down often enough and not too often, so that a restart goes on from there (§2.11).

import { jsonEvent, ownAppend, ownMetadata } from '../store/own-events.ts'
import type { Store } from '../store/store.ts'
import { lastJson, writeAll } from './own-streams.ts'
import { checkpointStream, type Place, type Settings } from './settings.ts'
import type { EventSource } from './source.ts'

/** The one before is kept, as EventStoreDB does. */
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
      // What was not written is offered again; until then more is handed out a second time after a crash.
    } finally {
      writing = false
    }
  }

  return {
    /** From the last run; undefined when there is none. */
    stored: () => stored,
    written: () => (written === undefined ? '' : source.write(written)),
    /**
     * @param place everything up to it is done with
     * @param count of events that are, since the start
     * @param isTick time counts once a second only
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
