// The interface of a running projection: its status, its lag, and how to stop it.
import type { StoredEvent } from '@headwater/eventstore/codec'
import type { Position } from '@headwater/eventstore/position'
import type { ParkedEvent } from '../model/parked.ts'

export type ProjectionStatus = {
  readonly state: 'starting' | 'catching up' | 'live' | 'standing by' | 'paused' | 'stopped'
  readonly position: Position
  /** The trouble, and what to do about it. */
  readonly reason: string | undefined
  /** The event at which the projection has stopped. */
  readonly event: Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'> | undefined
  /** Number of times the subscription was reopened. */
  readonly restarts: number
  readonly rebuildNeeded: boolean
  /** Events that could not be projected and wait for an operator, dead letters included. */
  readonly parked: readonly ParkedEvent[]
  /** Number of events that this process has projected or parked. */
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
