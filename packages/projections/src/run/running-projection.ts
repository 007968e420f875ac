// A projection that runs, as those see it who watch and stop it.
import type { StoredEvent } from '@headwater/eventstore/codec'
import type { Position } from '@headwater/eventstore/position'
import type { ParkedEvent } from '../model/parked.ts'

export type ProjectionStatus = {
  readonly state: 'starting' | 'catching up' | 'live' | 'standing by' | 'paused' | 'stopped'
  readonly position: Position
  /** What is wrong, and what to do about it. */
  readonly reason: string | undefined
  /** The event at which the projection has stopped. */
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'> | undefined
  /** How often the subscription had to be opened again. */
  readonly restarts: number
  readonly rebuildNeeded: boolean
  /** Events that could not be projected and wait for an operator, dead letters among them. */
  readonly parked: readonly ParkedEvent[]
  /** So many events this process has taken in or parked. */
  readonly handled: number
}

export type RunningProjection = {
  readonly status: () => ProjectionStatus
  /** Age of the oldest event not yet in the read model, 0 when all are. Asks the store, not the subscription. */
  readonly lagMs: () => Promise<number>
  /** Resolves at the first catch-up; rejects when the projection stops before. */
  readonly whenLive: () => Promise<void>
  /** Finishes the batch in hand and closes the sink. */
  readonly stop: () => Promise<void>
}
