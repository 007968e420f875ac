// Watches for streams with metadata that can hide their events: the store still accepts appends to them.
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { type Backoff, waitAfter } from '../backoff.ts'
import type { Position } from '../position.ts'
import { isSnapshotStream } from '../stream-name.ts'
import { hidesEvents } from './client-events.ts'
import { type OpenSubscription, openSubscription } from './open-subscription.ts'

const streamsRememberedMax = 10_000
const metastreamPrefix = '$$'
const reconnectBackoff: Backoff = { delayMsMin: 50, delayMsMax: 5_000 }

export type MetadataWatch = {
  /** True when such metadata was written since the watch began; known a moment after the write. */
  readonly mayHideEvents: (stream: string) => boolean
  readonly close: () => void
}

/** @param head the position of the store's last event */
export const watchMetadata = (url: string, head: () => Promise<Position>, logger: Logger): MetadataWatch => {
  const suspects = new LRUCache<string, true>({ max: streamsRememberedMax })
  const ending = new AbortController()
  let after: Position | undefined
  let failures = 0
  let open: OpenSubscription | undefined

  const reached = (position: Position) => {
    after = position
    failures = 0
  }
  const reconnect = async (error: unknown): Promise<void> => {
    failures++
    if (failures === 1) logger.info({ err: error }, 'the watch of metadata was interrupted; reconnecting')
    await waitAfter(failures, reconnectBackoff, ending.signal)
    if (!ending.signal.aborted) await connect()
  }
  const connect = async (): Promise<void> => {
    try {
      // Read only once: later connections continue from it and miss no metadata between them.
      after ??= await head()
    } catch (error) {
      return reconnect(error)
    }
    if (ending.signal.aborted) return
    open = openSubscription(url, [metastreamPrefix], after, {
      onEvent: ({ stream, data, position }) => {
        reached(position)
        const name = stream.slice(metastreamPrefix.length)
        // Snapshot streams are truncated on purpose, and are many.
        if (hidesEvents(data) && !isSnapshotStream(name)) suspects.set(name, true)
      },
      onCheckpoint: reached,
      onCaughtUp: () => undefined,
      onEnd: reconnect,
    })
  }
  void connect()

  return {
    mayHideEvents: (stream) => suspects.has(stream),
    close: () => {
      ending.abort()
      open?.close()
    },
  }
}
