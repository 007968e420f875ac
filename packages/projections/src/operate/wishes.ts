// Operator requests for projections, stored until a projection has handled them.

export type WishKind = 'retry' | 'skip' | 'pause' | 'rebuild'

export type Wish = {
  readonly kind: WishKind
  /** The parked event; empty for requests about the whole projection. */
  readonly eventId: string
  readonly by: string
  readonly at: Date
  /** Of a skip. */
  readonly reason?: string | undefined
  /** Of a rebuild: resumes the copy of an earlier one. */
  readonly goesOn?: boolean | undefined
  /** Of a rebuild: its limit of processor use, in cores. */
  readonly coresMax?: number | undefined
  readonly progress?: Progress | undefined
}

/** The progress of a rebuild. */
export type Progress = {
  readonly events: number
  /** As text, like `head`, the store's head when the progress was noted. */
  readonly position: string
  readonly head: string
  readonly eventsPerSecond: number
  /** Undefined until it can be estimated. */
  readonly secondsLeft: number | undefined
  readonly at: Date
  /** Why it makes no progress. */
  readonly trouble?: string | undefined
}

/** The operator requests for one projection. */
export type Wishes = {
  readonly all: () => Promise<readonly Wish[]>
  /** False when the same request exists. */
  readonly add: (wish: Wish) => Promise<boolean>
  /** False when there is no such request. */
  readonly remove: (wish: Pick<Wish, 'kind' | 'eventId'>) => Promise<boolean>
  /** True for the first to handle it, ever. */
  readonly begin: (wish: Pick<Wish, 'kind' | 'eventId'>) => Promise<boolean>
  /** Does nothing when the request is gone. */
  readonly note: (wish: Pick<Wish, 'kind' | 'eventId'>, progress: Progress) => Promise<void>
}

/** The stored text of a request; kind and event have columns of their own. */
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
