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

/** A step that changes more rows of a table says in the feed only that the table has changed. */
export const tableChangesMax = 1_000

/** A row after one batch of events. */
export type RowChange = {
  readonly table: string
  readonly key: string
  /** Null when it was removed. */
  readonly after: Row | null
  /**
   * Its topic columns before the batch; of a row that the batch made and removed, as they were in between. Null for a
   * new row; missing where the table has no topic columns, and in feeds of earlier releases.
   */
  readonly before?: Row | null
}

/** More rows of a table than {@link tableChangesMax} have changed, and any of them may have. */
export type TableChange = { readonly table: string; readonly all: true }

export type Change = RowChange | TableChange

/**
 * The changes of a step as the feed keeps them.
 * @param changed tables of which the step has changed more rows than it held
 */
export const feedOf = (changes: readonly RowChange[], changed: ReadonlySet<string>): readonly Change[] => {
  if (changes.length <= tableChangesMax && changed.size === 0) return changes
  const byTable = Map.groupBy(changes, ({ table }) => table)
  const whole = [...byTable].flatMap(([table, { length }]) => (length > tableChangesMax ? [table] : []))
  const all = new Set([...whole, ...changed])
  return [
    ...changes.filter(({ table }) => !all.has(table)),
    ...[...all].map((table) => ({ table, all: true }) as const),
  ]
}

/** A value read in one transaction, with the state of the read model it was read from. */
export type Snapshot<T> = {
  readonly value: T
  readonly checkpoint: Position
  readonly token: string
  readonly build: string
  /** `value` lacks the events of these streams from their parked event on. */
  readonly parkedStreams: readonly string[]
}

export type Changes = {
  readonly changes: readonly Change[]
  readonly token: string
  /** Another one than before: the rows were rebuilt, and may differ without a change in the feed. */
  readonly build: string
}

/**
 * `<model>.<version>.<origin>:<position>`: the state of the read model at a position, on any node, rebuilt or not. The
 * origin is the store's ID and, when events were parked or skipped, their fingerprint.
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
export type FeedBounds = {
  readonly origin: string
  readonly build: string
  readonly floor: Position
  readonly position: Position
}

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
  { origin, build, position: checkpoint }: FeedBounds,
  from: Position,
  { entries, complete }: FeedPage,
): Changes => {
  // A token of a node that is ahead stays where it is until this node has caught up.
  const position = complete ? laterPosition(from, checkpoint) : (entries.at(-1)?.position ?? from)
  return { changes: entries.flatMap(({ changes }) => changes), token: formatToken(model, origin, position), build }
}
