// What can be said of a follower from what is stored, without asking the process that runs it.
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

/** A projection under load is always a little behind. */
const liveLagMsMax = 2_000
/** The server may have to search for the next event. */
const lagAnswerMsMax = 5_000

/** The event store, asked once for all followers. */
export type StoreFacts = {
  readonly head: Position
  /** Undefined while it has no name. */
  readonly id: string | undefined
}

/** What a follower has stored. */
export type Stored = {
  readonly checkpoint: Checkpoint | undefined
  readonly hasOtherShape: boolean
  /** Those that wait. */
  readonly parked: readonly ParkedEvent[]
  readonly wishes: readonly Wish[]
  readonly isWritten: boolean
  readonly changes: number
}

/** What the event store says of that. */
export type Measured = {
  /** Why what it keeps cannot be used as it is. */
  readonly unusable: string | undefined
  /** Age of the oldest event that is not in; undefined when it is not known. */
  readonly lagMs: number | undefined
}

export type Facts = Stored & Measured

/** Without giving the store a name, as its followers would. */
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
  // The head is read after the checkpoint: one read before would lie behind it under load.
  return otherHistory({ ...store, storeId: async () => known.id ?? '' }, checkpoint)
}

/** Undefined when the store does not say in time. */
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

/** @param known undefined while the store does not answer: then nothing is said of it */
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

/** @param known as of `measuredOf` */
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

/** The event that nothing gets past. */
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
