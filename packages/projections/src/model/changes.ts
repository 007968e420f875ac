// The change feed as live queries read it, and the token with which they go on where they stopped.
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

/** What one batch of events made of one row: `after` is null when it was removed. */
export type Change = { readonly table: string; readonly key: string; readonly after: Row | null }

/** What was read in one transaction, with the state of the read model that it shows. */
export type Snapshot<T> = {
  readonly value: T
  readonly checkpoint: Position
  readonly token: string
  /** What happened in these since an event of theirs could not be taken in is not in `value`. */
  readonly parkedStreams: readonly string[]
}

export type Changes = { readonly changes: readonly Change[]; readonly token: string }

/**
 * `<model>.<version>.<origin>:<position>`: the state of the read model at a position, on whichever node. The origin is
 * the store's id and, when events were set aside, the mark that says which.
 * It only ever stands between two batches, so nothing has to say which part of a batch was seen.
 */
export const formatToken = ({ name, version }: ReadModel, origin: string, position: Position): string =>
  `${name}.${version}.${origin}:${formatPosition(position)}`

/** The position of a token of this read model and origin; undefined when it is of another, or none. */
export const parseToken = ({ name, version }: ReadModel, origin: string, token: string): Position | undefined => {
  const prefix = `${name}.${version}.${origin}:`
  return token.startsWith(prefix) ? parsePosition(token.slice(prefix.length)) : undefined
}

const placeOf = (token: string): Position => parsePosition(token.slice(token.lastIndexOf(':') + 1)) ?? beginning

/** Of two tokens of one read model and event store, the one that has seen less. */
export const earlierToken = (a: string, b: string): string => (comparePosition(placeOf(b), placeOf(a)) < 0 ? b : a)

/** The changes of one batch, which took the read model from one position to another. */
export type FeedEntry = { readonly since: Position; readonly position: Position; readonly changes: readonly Change[] }

/** What the feed holds after a position: some whole batches, and whether they are all. */
export type FeedPage = { readonly entries: readonly FeedEntry[]; readonly complete: boolean }

/** Where the feed of a read model begins and ends. */
export type FeedBounds = { readonly origin: string; readonly floor: Position; readonly position: Position }

/** The position from which a token can be followed. */
export const resumeFrom = (model: ReadModel, { origin, floor }: FeedBounds, token: string): Position | undefined => {
  const position = parseToken(model, origin, token)
  return position && comparePosition(position, floor) >= 0 ? position : undefined
}

/**
 * The changes on a page of the feed that was read `from` a position, and the token after them. A token of another node
 * can stand inside the first batch; its reader is then told of more rows than changed, never of fewer.
 */
export const changesOf = (
  model: ReadModel,
  { origin, position: checkpoint }: FeedBounds,
  from: Position,
  { entries, complete }: FeedPage,
): Changes => {
  // A token of a node that is ahead stays where it is until this node has come there too.
  const position = complete ? laterPosition(from, checkpoint) : (entries.at(-1)?.position ?? from)
  return { changes: entries.flatMap(({ changes }) => changes), token: formatToken(model, origin, position) }
}
