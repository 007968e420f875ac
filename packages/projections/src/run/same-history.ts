// Detects a checkpoint of another history than the event store's: after a restore, or of a foreign store.
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, formatPosition } from '@headwater/eventstore/position'
import type { Checkpoint } from '../model/sink.ts'

/** Why the checkpoint does not fit, as a sentence; undefined when it does. */
export const otherHistory = async (
  store: Pick<EventStore, 'storeId' | 'head' | 'eventAt'>,
  { storeId, position, lastEvent }: Checkpoint,
): Promise<string | undefined> => {
  if (storeId !== (await store.storeId())) return 'This is another event store.'
  if (comparePosition(position, await store.head()) > 0)
    return `The event store ends before the checkpoint ${formatPosition(position)}.`
  if (lastEvent && (await store.eventAt(lastEvent.position))?.id !== lastEvent.id)
    return `The event store has another event than ${lastEvent.id} at the checkpoint.`
}
