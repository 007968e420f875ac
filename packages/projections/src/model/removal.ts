// Removes rows by the value of a column: those of deleted streams, and those that an event names.
import { type StoredEvent, streamDeletedType } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import { Halt } from './halt.ts'
import type { ReadModel, Row } from './read-model.ts'
import type { openRows } from './rows.ts'
import type { Removal } from './sink.ts'

/** The most rows that a step holds in order to remove them by a column. */
export const rowsRemovedMax = 10_000

/** The rows that a batch would have to hold are too many: its events have to be projected one by one. */
export class TooManyRows extends Halt {
  override readonly name = 'TooManyRows'
  constructor(table: string, column: string) {
    super(`More than ${rowsRemovedMax} rows of ${table} are removed by ${column}.`)
  }
}

type Where = { readonly where: readonly [column: string, value: string] }

/** By table, keys of rows, and columns by which rows are removed. */
type NeededRows = Readonly<Record<string, readonly (string | Where)[] | undefined>>

/** A table whose rows belong to streams, without the types of its rows. */
type Owned = {
  readonly column: string
  readonly category?: string
  readonly counted?: {
    readonly keys: (row: Row) => NeededRows
    readonly subtract: (row: Row, rows: unknown) => void
  }
}

/** The tables of a projection, and who owns their rows. */
export type Tables = Pick<ReadModel, 'tables'> & { readonly owned?: object | undefined }

const ownedTables = ({ owned = {} }: Tables): Readonly<Record<string, Owned>> => owned as Record<string, Owned>

export const isDeletion = ({ type }: Pick<StoredEvent, 'type'>): boolean => type === streamDeletedType

/** Rows of a table with this value in a column. */
export type Selection = { readonly table: string; readonly column: string; readonly value: string }

/** Shared: nearly no event removes rows so. */
const nothingSelected: readonly Selection[] = []

/** The rows that the deletion of a stream removes. */
export const rowsOfStream = (projection: Tables, stream: string): readonly Selection[] =>
  Object.entries(ownedTables(projection)).flatMap(([table, { column, category }]) =>
    category === undefined || category === categoryOf(stream) ? [{ table, column, value: idOf(stream) }] : [],
  )

/**
 * Adds the keys that an event needs.
 * @returns the rows that it removes by the value of a column
 */
export const addKeys = (keys: ReadonlyMap<string, Set<string>>, needed: NeededRows): readonly Selection[] => {
  let selections = nothingSelected
  for (const [table, wanted] of keys)
    for (const one of needed[table] ?? [])
      if (typeof one === 'string') wanted.add(one)
      else selections = [...selections, { table, column: one.where[0], value: one.where[1] }]
  return selections
}

/** @returns undefined for a step that removes nothing by a column */
export const removalOf = (
  projection: Tables,
  selections: readonly Selection[],
  inParts: Removal['inParts'],
): Removal | undefined => {
  if (selections.length === 0) return undefined
  const byColumn = Map.groupBy(selections, ({ table, column }) => `${table} ${column}`)
  return {
    selections: [...byColumn.values()].map((alike) => ({
      table: alike[0]?.table ?? '',
      column: alike[0]?.column ?? '',
      values: new Set(alike.map(({ value }) => value)),
    })),
    inParts,
    counting: (stored) => {
      const keys = new Map(Object.keys(projection.tables).map((table) => [table, new Set<string>()]))
      for (const [table, { counted }] of Object.entries(ownedTables(projection)))
        if (counted) for (const row of stored.get(table)?.values() ?? []) addKeys(keys, counted.keys(row))
      return keys
    },
  }
}

/**
 * Removes rows from opened tables, and from the rows that count them.
 * @throws where a row belongs to another stream
 */
export const removeSelected = (
  projection: Tables,
  stream: string,
  { table, column, value }: Selection,
  opened: readonly ReturnType<typeof openRows>[],
  rows: unknown,
): void => {
  const from = opened.find(({ name }) => name === table)
  const owned = ownedTables(projection)[table]
  for (const [key, row] of from?.having(column, value) ?? []) {
    if (owned?.category !== undefined && row[owned.column] !== idOf(stream))
      throw new Error(`${table} ${key} is a row of another stream.`)
    owned?.counted?.subtract(row, rows)
    from?.remove(key)
  }
}
