// What clients asked, what they were told, and what subscribers saw, in the order in which this process saw it.

export type Expected = 'any' | 'no_stream' | 'stream_exists' | bigint

export type Event = {
  readonly position: bigint
  readonly stream: string
  readonly revision: bigint
  readonly id: string
  readonly type: string
  /** Which append wrote it, which of its events it is, and of how many; undefined for what the server wrote itself. */
  readonly part: { readonly append: number; readonly index: number; readonly of: number } | undefined
  /** What `$metadata` says about the events that are hidden. */
  readonly truncateBefore: bigint | undefined
  readonly maxCount: bigint | undefined
}

/** The value of `$tb` that hides a stream: it is deleted, and may begin again (§2.7). */
export const softDeleted = 2n ** 63n - 1n

export type Request =
  /** One `append` number may be sent more than once: the same ids, perhaps with another expectation. */
  | { readonly kind: 'append'; readonly append: number; readonly ids: readonly string[]; readonly expected: Expected }
  | { readonly kind: 'delete' | 'tombstone'; readonly expected: Expected }
  | {
      readonly kind: 'set metadata'
      readonly truncateBefore: bigint | undefined
      readonly maxCount: bigint | undefined
    }
  | { readonly kind: 'read'; readonly forwards: boolean; readonly from: bigint; readonly count: number }
  | { readonly kind: 'read $all'; readonly after: bigint; readonly count: number }

export type Outcome =
  | { readonly kind: 'success'; readonly revision: bigint; readonly position: bigint }
  /** -1: there was no event. */
  | { readonly kind: 'wrong expected version'; readonly actual: bigint }
  | { readonly kind: 'stream deleted' }
  | { readonly kind: 'stream not found' }
  | { readonly kind: 'events'; readonly events: readonly Event[] }
  /** Nobody knows whether it was done: no answer came, or one that leaves it open. */
  | { readonly kind: 'unknown'; readonly reason: string }

export type Operation = {
  readonly stream: string
  readonly request: Request
  readonly outcome: Outcome
  /** Places in the order of all beginnings and ends; an operation without an answer never ended. */
  readonly began: number
  readonly ended: number
}

/** From when a subscription said "caught up" until its connection was cut, if it was. */
export type Live = {
  readonly since: number
  readonly until: number
  /** How many events had been seen by then, over all connections. */
  readonly seenUntil: number
}

export type Subscription = {
  readonly name: string
  /** undefined: all of them. */
  readonly stream: string | undefined
  /** Across all its connections. */
  readonly seen: readonly Event[]
  readonly lives: readonly Live[]
}

export type History = {
  readonly operations: readonly Operation[]
  readonly subscriptions: readonly Subscription[]
  /** `$all` as it is read at the end, without streams of others. */
  readonly log: readonly Event[]
}

export const metastreamOf = (stream: string): string => `$$${stream}`

export const show = ({ stream, request, outcome, began, ended }: Operation): string =>
  JSON.stringify({ began, ended, stream, request, outcome }, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
