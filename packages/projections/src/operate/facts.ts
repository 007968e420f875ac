// Derives the state of a projection from stored data, without asking the process that runs it.
import { type EventStore, StoreUnavailable } from '@headwater/eventstore/client/client'
import { beginning, type Position } from '@headwater/eventstore/position'
import { readStoreName } from '@headwater/eventstore/store-name'
import { within } from '@headwater/eventstore/within'
import { isWaiting, type ParkedEvent } from '../model/parked.ts'
import type { Checkpoint } from '../model/sink.ts'
import { otherHistory } from '../run/same-history.ts'
import type { Follower } from './followers.ts'
import type { Wish } from './wishes.ts'

type Store = Pick<EventStore, 'head' | 'eventAt' | 'eventAfter' | 'readStream'>

/** A projection under load is always slightly behind. */
const liveLagMsMax = 2_000
/** The server may have to search for the next event. */
const lagAnswerMsMax = 5_000

/** Facts of the event store, read once for all projections. */
export type StoreFacts = {
  readonly head: Position
  /** Undefined until a projection has assigned one. */
  readonly id: string | undefined
}

/** Stored facts of a projection. */
export type Stored = {
  readonly checkpoint: Checkpoint | undefined
  readonly hasOtherShape: boolean
  /** Without skipped ones. */
  readonly parked: readonly ParkedEvent[]
  readonly wishes: readonly Wish[]
  readonly isWritten: boolean
  readonly changes: number
}

/** Facts of a projection that need the event store. */
export type Measured = {
  /** Why its rows cannot be used. */
  readonly unusable: string | undefined
  /** Age of the oldest event not yet projected; undefined when unknown. */
  readonly lagMs: number | undefined
}

export type Facts = Stored & Measured

/** Assigns no store ID, unlike projections. */
export const storeFacts = async (store: Store): Promise<StoreFacts> => {
  const [head, id] = await Promise.all([store.head(), readStoreName(store)])
  return { head, id }
}

const unusableBecause = async (
  store: Store,
  known: StoreFacts | undefined,
  checkpoint: Checkpoint | undefined,
  hasOtherShape: boolean,
): Promise<string | undefined> => {
  if (hasOtherShape) return 'It was made for another shape of its tables.'
  if (!known || !checkpoint) return undefined
  // The head is read after the checkpoint: an earlier one could lie before it under load.
  return otherHistory({ ...store, storeId: async () => known.id ?? '' }, checkpoint)
}

/** Undefined when the store does not answer in time. */
const lagOf = async (store: Store, { categories }: Follower, position: Position): Promise<number | undefined> => {
  const looking = store.eventAfter(categories, position)
  const next = await within(lagAnswerMsMax, looking, () => new StoreUnavailable(new Error('too slow'))).catch(
    (error: unknown) => {
      if (error instanceof StoreUnavailable) return error
      throw error
    },
  )
  if (next instanceof StoreUnavailable) return undefined
  return next ? Math.max(0, Date.now() - next.recordedAt.getTime()) : 0
}

export const storedOf = async (follower: Follower): Promise<Stored> => {
  const [checkpoint, hasOtherShape, parked, wishes, isWritten, changes] = await Promise.all([
    follower.checkpoint(),
    follower.hasOtherShape(),
    follower.parked(),
    follower.wishes.all(),
    follower.isWritten(),
    follower.changes(),
  ])
  return { checkpoint, hasOtherShape, parked: parked.filter(isWaiting), wishes, isWritten, changes }
}

/** @param known undefined while the store does not answer */
export const measuredOf = async (
  store: Store,
  known: StoreFacts | undefined,
  follower: Follower,
  { checkpoint, hasOtherShape, isWritten }: Stored,
): Promise<Measured> => {
  const unusable = await unusableBecause(store, known, checkpoint, hasOtherShape)
  const isToBeMeasured = known !== undefined && unusable === undefined && (checkpoint !== undefined || isWritten)
  const lagMs = isToBeMeasured ? await lagOf(store, follower, checkpoint?.position ?? beginning) : undefined
  return { unusable, lagMs }
}

export const factsOf = async (store: Store, known: StoreFacts | undefined, follower: Follower): Promise<Facts> => {
  const stored = await storedOf(follower)
  return { ...stored, ...(await measuredOf(store, known, follower, stored)) }
}

export type FollowerState =
  | 'unknown'
  | 'not built'
  | 'rebuild needed'
  | 'stopped'
  | 'paused'
  | 'no projector'
  | 'live'
  | 'behind'
  | 'running'

export const wishOf = (facts: Pick<Facts, 'wishes'>, kind: Wish['kind']): Wish | undefined =>
  facts.wishes.find((wish) => wish.kind === kind)

/** The event at which the projection has stopped. */
export const stoppedAt = ({ parked }: Pick<Facts, 'parked'>): ParkedEvent | undefined =>
  parked.find(({ stops }) => stops)

export const stateOf = (facts: Facts | undefined): FollowerState => {
  if (!facts) return 'unknown'
  const { checkpoint, unusable, isWritten, lagMs } = facts
  if (unusable !== undefined) return 'rebuild needed'
  if (stoppedAt(facts)) return 'stopped'
  if (wishOf(facts, 'pause')) return 'paused'
  if (!checkpoint) return 'not built'
  if (!isWritten) return 'no projector'
  if (lagMs === undefined) return 'running'
  return lagMs <= liveLagMsMax ? 'live' : 'behind'
}
