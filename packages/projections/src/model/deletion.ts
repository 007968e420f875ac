// Removes the rows of deleted streams from a read model.
import { type StoredEvent, streamDeletedType } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { Row } from './read-model.ts'
import type { openRows } from './rows.ts'
import type { Deletion } from './sink.ts'

type NeededKeys = Readonly<Record<string, readonly string[] | undefined>>

/** A table whose rows belong to streams, without the types of its rows. */
type Owned = {
  readonly table: string
  readonly column: string
  readonly category?: string
  readonly counted?: {
    readonly keys: (row: Row) => NeededKeys
    readonly subtract: (row: Row, rows: unknown) => void
  }
}

const ownedTables = (owned: object = {}): readonly Owned[] =>
  Object.entries(owned).map(([table, one]) => ({ table, ...one }))

export const isDeletion = ({ type }: Pick<StoredEvent, 'type'>): boolean => type === streamDeletedType

export const addKeys = (keys: ReadonlyMap<string, Set<string>>, more: NeededKeys): void => {
  for (const [table, wanted] of keys) for (const key of more[table] ?? []) wanted.add(key)
}

/** The rows that a step needs for the streams that are deleted in it; undefined when it needs none. */
export const deletionIn = (
  { tables, owned: ofProjection }: { readonly tables: object; readonly owned?: object | undefined },
  events: readonly StoredEvent[],
): Deletion | undefined => {
  const values = new Set(events.filter(isDeletion).map(({ stream }) => idOf(stream)))
  const owned = ownedTables(ofProjection)
  if (values.size === 0 || owned.length === 0) return undefined
  return {
    owned: owned.map(({ table, column }) => ({ table, column, values })),
    counting: (stored) => {
      const keys = new Map(Object.keys(tables).map((table) => [table, new Set<string>()]))
      for (const { table, counted } of owned)
        if (counted) for (const row of stored.get(table)?.values() ?? []) addKeys(keys, counted.keys(row))
      return keys
    },
  }
}

/** Removes the rows of a stream from opened tables, and from the rows that count them. */
export const removeRowsOf = (
  stream: string,
  owned: object | undefined,
  opened: readonly ReturnType<typeof openRows>[],
  rows: unknown,
): void => {
  for (const { table, column, category, counted } of ownedTables(owned)) {
    if (category !== undefined && category !== categoryOf(stream)) continue
    const from = opened.find(({ name }) => name === table)
    for (const [key, row] of from?.having(column, idOf(stream)) ?? []) {
      counted?.subtract(row, rows)
      from?.rows.remove(key)
    }
  }
}
