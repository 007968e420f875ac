// The recorded history: requests, outcomes, and events seen by subscribers, in the order of this process.

export type Expected = 'any' | 'no_stream' | 'stream_exists' | bigint

export type Event = {
  readonly position: bigint
  readonly stream: string
  readonly revision: bigint
  readonly id: string
  readonly type: string
  /** Its append, its index in it and the number of events; undefined for events of the server itself. */
  readonly part: { readonly append: number; readonly index: number; readonly of: number } | undefined
  /** The `$tb` of a `$metadata` event. */
  readonly truncateBefore: bigint | undefined
  readonly maxCount: bigint | undefined
}

/** The value of `$tb` in a deleted stream, which can be recreated. */
export const softDeleted = 2n ** 63n - 1n

export type Request =
  /** One `append` number may be sent more than once: the same IDs, perhaps with another expected revision. */
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
  /** -1: no event. */
  | { readonly kind: 'wrong expected version'; readonly actual: bigint }
  | { readonly kind: 'stream deleted' }
  | { readonly kind: 'stream not found' }
  | { readonly kind: 'events'; readonly events: readonly Event[] }
  /** No answer, or one that leaves the outcome open. */
  | { readonly kind: 'unknown'; readonly reason: string }

export type Operation = {
  readonly stream: string
  readonly request: Request
  readonly outcome: Outcome
  /** Indexes in the order of all beginnings and ends; an operation without an answer never ended. */
  readonly began: number
  readonly ended: number
}

/** From "caught up" until the connection was cut, if it was. */
export type Live = {
  readonly since: number
  readonly until: number
  /** Number of events seen by then, over all connections. */
  readonly seenUntil: number
}

export type Subscription = {
  readonly name: string
  /** undefined: all streams. */
  readonly stream: string | undefined
  /** Over all its connections. */
  readonly seen: readonly Event[]
  readonly lives: readonly Live[]
}

export type History = {
  readonly operations: readonly Operation[]
  readonly subscriptions: readonly Subscription[]
  /** `$all` at the end, without other streams. */
  readonly log: readonly Event[]
}

export const metastreamOf = (stream: string): string => `$$${stream}`

export const show = ({ stream, request, outcome, began, ended }: Operation): string =>
  JSON.stringify({ began, ended, stream, request, outcome }, (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
