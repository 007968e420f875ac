// Waits until this process can take over a read model from its writer.
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStore } from '@headwater/eventstore/client/client'
import { comparePosition, type Position } from '@headwater/eventstore/position'
import type { Checkpoint, Sink } from '../model/sink.ts'
import type { Persistence } from './persistence.ts'

/** A writer counts as gone when its checkpoint has not moved for this time while events lie ahead. */
const takeOverAfterMs = 3_000
const pollMs = 250

/** @returns the claim */
export const standBy = async ({
  store,
  sink,
  categories,
  claim,
  persistently,
  signal,
}: {
  readonly store: Pick<EventStore, 'eventAfter'>
  readonly sink: Pick<Sink, 'checkpoint' | 'claimsExpire'>
  readonly categories: readonly string[]
  readonly claim: () => Promise<Checkpoint | undefined>
  readonly persistently: Persistence['persistently']
  readonly signal: AbortSignal
}): Promise<Checkpoint> => {
  let seen: Position | undefined
  let seenAt = 0
  const hasStalled = async (): Promise<boolean> => {
    const { position } = await sink.checkpoint()
    if (!seen || comparePosition(position, seen) !== 0) {
      seen = position
      seenAt = performance.now()
    }
    return performance.now() - seenAt >= takeOverAfterMs && (await store.eventAfter(categories, position)) !== undefined
  }
  for (;;) {
    await sleep(pollMs, undefined, { signal })
    const claimed = await persistently(async () =>
      sink.claimsExpire || (await hasStalled()) ? await claim() : undefined,
    )
    if (claimed) return claimed
  }
}
