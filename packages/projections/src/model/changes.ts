// The change feed as live queries read it, and the token with which they resume.
import {
  beginning,
  comparePosition,
  formatPosition,
  laterPosition,
  type Position,
  parsePosition,
} from '@headwater/eventstore/position'
import type { ReadModel, Row } from './read-model.ts'

/** The feed keeps at least this many of the last changes. */
export const feedLengthMax = 10_000

/** A row after one batch of events; `after` is null when the batch removed it. */
export type Change = { readonly table: string; readonly key: string; readonly after: Row | null }

/** A value read in one transaction, with the state of the read model it was read from. */
export type Snapshot<T> = {
  readonly value: T
  readonly checkpoint: Position
  readonly token: string
  /** `value` lacks the events of these streams from their parked event on. */
  readonly parkedStreams: readonly string[]
}

export type Changes = { readonly changes: readonly Change[]; readonly token: string }

/**
 * `<model>.<version>.<origin>:<position>`: the state of the read model at a position, on any node. The origin is the
 * store's ID and, when events were parked or skipped, their fingerprint.
 * The position always lies between two batches.
 */
export const formatToken = ({ name, version }: ReadModel, origin: string, position: Position): string =>
  `${name}.${version}.${origin}:${formatPosition(position)}`

/** The position of a token of this read model and origin; undefined for any other text. */
export const parseToken = ({ name, version }: ReadModel, origin: string, token: string): Position | undefined => {
  const prefix = `${name}.${version}.${origin}:`
  return token.startsWith(prefix) ? parsePosition(token.slice(prefix.length)) : undefined
}

const placeOf = (token: string): Position => parsePosition(token.slice(token.lastIndexOf(':') + 1)) ?? beginning

/** The token with the lower position, of two of one read model and event store. */
export const earlierToken = (a: string, b: string): string => (comparePosition(placeOf(b), placeOf(a)) < 0 ? b : a)

/** The changes of one batch, which took the read model from one position to another. */
export type FeedEntry = { readonly since: Position; readonly position: Position; readonly changes: readonly Change[] }

/** Some whole batches after a position, and whether they are all. */
export type FeedPage = { readonly entries: readonly FeedEntry[]; readonly complete: boolean }

/** Where the feed of a read model begins and ends. */
export type FeedBounds = { readonly origin: string; readonly floor: Position; readonly position: Position }

/** The position from which a token can be followed. */
export const resumeFrom = (model: ReadModel, { origin, floor }: FeedBounds, token: string): Position | undefined => {
  const position = parseToken(model, origin, token)
  return position && comparePosition(position, floor) >= 0 ? position : undefined
}

/**
 * The changes on a page of the feed read `from` a position, and the token after them. A token of another node can lie
 * inside the first batch of this one; its reader then gets more changes than it needs, never fewer.
 */
export const changesOf = (
  model: ReadModel,
  { origin, position: checkpoint }: FeedBounds,
  from: Position,
  { entries, complete }: FeedPage,
): Changes => {
  // A token of a node that is ahead stays where it is until this node has caught up.
  const position = complete ? laterPosition(from, checkpoint) : (entries.at(-1)?.position ?? from)
  return { changes: entries.flatMap(({ changes }) => changes), token: formatToken(model, origin, position) }
}
