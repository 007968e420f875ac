// Defines a read model: named tables whose rows are flat, plain data, each under one text key.

export type Value = string | number | null

/** One row; a number in it is a safe integer. Rows are replaced, never changed in place. */
export type Row = Readonly<Record<string, Value>>

export type ColumnType = 'text' | 'text or null' | 'integer' | 'integer or null'

/** The column that holds values of type `V`. */
type Column<V extends Value> =
  `${NonNullable<V> extends string ? 'text' : 'integer'}${null extends V ? ' or null' : ''}`

/** A table of rows of type `R`. */
export type TableOf<R extends Row> = {
  /** The text column that identifies a row. */
  readonly key: keyof R & string
  readonly columns: { readonly [Name in keyof R]: Column<R[Name]> }
  readonly indexes: readonly (readonly (keyof R & string)[])[]
  /**
   * Columns that the change feed also keeps as they were before a change: they tell a live topic whom a removed row, or
   * one that moved, concerned.
   */
  readonly topicColumns?: readonly (keyof R & string)[]
}

/** A table of any rows. */
export type Table = {
  readonly key: string
  readonly columns: Readonly<Record<string, ColumnType>>
  readonly indexes: readonly (readonly string[])[]
  readonly topicColumns?: readonly string[]
}

/** A projection without its events, as a store needs it. */
export type ReadModel = {
  readonly name: string
  /** A new shape of the tables or a new meaning of their rows is a new version, built beside the old one. */
  readonly version: number
  readonly tables: Readonly<Record<string, Table>>
}

/** The tables of a version, as text to compare and to record. */
export const shapeOf = ({ tables }: ReadModel): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(tables).map(([name, { key, columns, indexes }]) => [name, { key, columns, indexes }]),
    ),
  )
