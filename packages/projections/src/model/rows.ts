// The rows that a batch of events concerns, held in memory while the batch evolves them.
import type { RowChange } from './changes.ts'
import type { Row } from './read-model.ts'

/** The rows of one table, as one event sees them. */
export type Rows<R extends Row> = {
  readonly get: (key: string) => R | undefined
  readonly set: (key: string, row: R) => void
  readonly remove: (key: string) => void
  /**
   * Removes the rows with this value in a column, stored ones and those just made, and takes them out of the tallies
   * that count them. `keys` has to say `{ where: [column, value] }`.
   */
  readonly removeWhere: (column: string, value: string) => void
}

/** By table, the keys of the rows that a batch concerns. */
export type Keys = ReadonlyMap<string, ReadonlySet<string>>

/** By table and key, rows as the store has them. */
export type StoredRows = ReadonlyMap<string, ReadonlyMap<string, Row>>

export const mergeRows = (a: StoredRows, b: StoredRows): StoredRows =>
  new Map(
    [...new Set([...a.keys(), ...b.keys()])].map((table) => [
      table,
      new Map([...(a.get(table) ?? []), ...(b.get(table) ?? [])]),
    ]),
  )

const pick = (row: Row, columns: readonly string[]): Row =>
  Object.fromEntries(columns.map((column) => [column, row[column] ?? null]))

/** The rows of `table` that `keys` name, with the changes made to them. */
export const openRows = (
  table: string,
  keys: ReadonlySet<string>,
  stored: ReadonlyMap<string, Row>,
  topicColumns?: readonly string[],
) => {
  const touched = new Map<string, Row | undefined>()
  /** Rows that the batch made and removed again: only these say whom the change concerned. */
  const passing = new Map<string, Row>()
  const declared = (key: string): string => {
    if (keys.has(key) || stored.has(key)) return key
    throw new Error(
      `The projection did not say that it needs ${table} ${key}: keys() must name every row of project().`,
    )
  }
  const get = (key: string) => (touched.has(key) ? touched.get(key) : stored.get(declared(key)))
  const put = (key: string, row: Row | undefined) => {
    const before = get(key)
    if (row === before) return
    if (topicColumns && !row && before && !stored.has(key)) passing.set(key, before)
    touched.set(key, row)
  }
  /**
   * One change per row, also when the batch made the row and removed it again: a reader from a node with other batches
   * may have seen it in between.
   */
  const changes = (): readonly RowChange[] =>
    [...touched].map(([key, row]) => {
      const after = row ?? null
      if (!topicColumns) return { table, key, after }
      const before = stored.get(key) ?? passing.get(key)
      return { table, key, after, before: before ? pick(before, topicColumns) : null }
    })
  /** Rows with this value in a column, with their keys. */
  const having = (column: string, value: string): readonly (readonly [string, Row])[] => {
    const found: (readonly [string, Row])[] = []
    for (const [key, row] of stored) if (row[column] === value && !touched.has(key)) found.push([key, row])
    for (const [key, row] of touched) if (row?.[column] === value) found.push([key, row])
    return found
  }
  return { name: table, get, set: put, remove: (key: string) => put(key, undefined), having, changes }
}
