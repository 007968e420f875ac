// What can be said of a follower from what is stored, without asking the process that runs it.
import { type EventStore, StoreUnavailable } from '@headwater/eventstore/client/client'
import { beginning, type Position } from '@headwater/eventstore/position'
import { readStoreName } from '@headwater/eventstore/store-name'
import { within } from '@headwater/eventstore/within'
import { isWaiting, type ParkedEvent } from '@headwater/projections/model/parked'
import type { Checkpoint } from '@headwater/projections/model/sink'
import type { Wish } from '@headwater/projections/operate/wishes'
import { otherHistory } from '@headwater/projections/run/same-history'
import type { Context } from '../command.ts'
import { troubleOf } from '../refusal.ts'
import type { Follower } from './followers.ts'

/** Whoever follows under load is always a little behind. */
const liveLagMsMax = 2_000
/** The server may have to search for the next event. */
const lagAnswerMsMax = 5_000

/** The event store, asked once for all followers. */
export type StoreFacts = {
  readonly head: Position
  /** Undefined when nobody has named it yet. */
  readonly id: string | undefined
}

export type Facts = {
  readonly checkpoint: Checkpoint | undefined
  readonly parked: readonly ParkedEvent[]
  readonly wishes: readonly Wish[]
  readonly isWritten: boolean
  /** Why what it keeps cannot be used as it is. */
  readonly unusable: string | undefined
  /** Age of the oldest event that is not in; undefined when that cannot be told. */
  readonly lagMs: number | undefined
}

/** Without giving the store a name, as its followers would. */
export const storeFacts = async (store: EventStore): Promise<StoreFacts> => {
  const [head, id] = await Promise.all([store.head(), readStoreName(store)])
  return { head, id }
}

const unusableBecause = async (
  { store }: Pick<Context, 'store'>,
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
const lagOf = async (store: EventStore, { categories }: Follower, position: Position): Promise<number | undefined> => {
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

/** @param known undefined while the store does not answer: then nothing is said of it */
export const factsOf = async (
  context: Pick<Context, 'store'>,
  known: StoreFacts | undefined,
  follower: Follower,
): Promise<Facts> => {
  const [checkpoint, hasOtherShape, parked, wishes, isWritten] = await Promise.all([
    follower.checkpoint(),
    follower.hasOtherShape(),
    follower.parked(),
    follower.wishes.all(),
    follower.isWritten(),
  ])
  const unusable = await unusableBecause(context, known, checkpoint, hasOtherShape)
  const isToBeMeasured = known !== undefined && unusable === undefined && (checkpoint !== undefined || isWritten)
  const lagMs = isToBeMeasured ? await lagOf(context.store, follower, checkpoint?.position ?? beginning) : undefined
  return { checkpoint, parked: parked.filter(isWaiting), wishes, isWritten, unusable, lagMs }
}

export type Looked = {
  readonly follower: Follower
  readonly facts: Facts | undefined
  readonly trouble: string | undefined
}

/** What is known of each; what could not be asked is told beside. */
export const lookAt = async (
  context: Context,
  followers: readonly Follower[] = context.followers,
): Promise<{ readonly store: StoreFacts | undefined; readonly looked: readonly Looked[] }> => {
  const troubled = (error: unknown) => {
    const trouble = troubleOf(error, context.settings)
    context.note(trouble)
    return trouble
  }
  const store = await storeFacts(context.store).catch((error: unknown) => {
    troubled(error)
    return undefined
  })
  const looked = await Promise.all(
    followers.map((follower) =>
      factsOf(context, store, follower).then(
        (facts): Looked => ({ follower, facts, trouble: undefined }),
        (error: unknown): Looked => ({ follower, facts: undefined, trouble: troubled(error) }),
      ),
    ),
  )
  // Read again at last, so that no position shown beside it is ahead of it.
  return { store: store && { ...store, head: await context.store.head() }, looked }
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
