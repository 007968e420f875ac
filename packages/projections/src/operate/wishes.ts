// What operators request of projections, kept until it is handled: by the tool, the pages, and the projectors.

export type WishKind = 'retry' | 'skip' | 'pause' | 'rebuild'

export type Wish = {
  readonly kind: WishKind
  /** The parked event that it is about; empty for those about all of a follower. */
  readonly eventId: string
  readonly by: string
  readonly at: Date
  /** Why; of a skip. */
  readonly reason?: string | undefined
  /** Of a rebuild: goes on with what an earlier one has built. */
  readonly goesOn?: boolean | undefined
  /** Of a rebuild: the most it may use of the projector's processor, in cores. */
  readonly coresMax?: number | undefined
  readonly progress?: Progress | undefined
}

/** How far a rebuild is. */
export type Progress = {
  readonly events: number
  /** As text, and the store's head when it was last looked at. */
  readonly position: string
  readonly head: string
  readonly eventsPerSecond: number
  /** Undefined until it is known. */
  readonly secondsLeft: number | undefined
  readonly at: Date
  /** Why it does not go on. */
  readonly trouble?: string | undefined
}

/** The wishes for one follower. */
export type Wishes = {
  readonly all: () => Promise<readonly Wish[]>
  /** False when the same is wished for already. */
  readonly add: (wish: Wish) => Promise<boolean>
  /** False when there is no such wish. */
  readonly remove: (wish: Pick<Wish, 'kind' | 'eventId'>) => Promise<boolean>
  /** True for the first to handle it, ever. */
  readonly begin: (wish: Pick<Wish, 'kind' | 'eventId'>) => Promise<boolean>
  /** Nothing happens when the wish is gone. */
  readonly note: (wish: Pick<Wish, 'kind' | 'eventId'>, progress: Progress) => Promise<void>
}

/** A wish as stores keep it, but for its kind and event. */
export const wishDetails = ({ kind: _kind, eventId: _eventId, ...details }: Wish): string => JSON.stringify(details)

export const wishFromRow = ({ kind, eventId, details }: { kind: string; eventId: string; details: string }): Wish => {
  const { at, progress, isBegun: _isBegun, ...rest } = JSON.parse(details)
  return {
    ...rest,
    kind: kind as WishKind,
    eventId,
    at: new Date(at),
    progress: progress && { ...progress, at: new Date(progress.at) },
  }
}
