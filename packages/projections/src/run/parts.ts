// Builds a read model from parts: each stream type has its own tables, and an event writes only rows of its own stream.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import { createCodec, type RecordedEvent, type StoredEvent } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { KeysOf, Projection, RowsOf } from '../model/projection.ts'
import type { Row, Table, TableOf, Value as ValueOrNull } from '../model/read-model.ts'
import type { Rows } from '../model/rows.ts'

type Tables = Readonly<Record<string, Row>>

type Value = NonNullable<ValueOrNull>

type NoTables = Readonly<Record<never, Row>>

/** Rows that change only by adding and by keeping the greater or smaller of two values: the order of streams does not matter. */
export type Tally<R extends Row> = {
  /** Combines it with the row of the same key. A row whose sums are all 0, without other values, is removed. */
  readonly add: (row: R) => void
}

/** How the values of a column are combined; null is no value. */
type Combined = 'sum' | 'greatest' | 'least'

type RowsOfPart<Of extends Tables, Tallied extends Tables> = RowsOf<Of> & {
  readonly [Name in keyof Tallied]: Tally<Tallied[Name]>
}

/** The tables and functions of one stream type in a read model. */
export type Part<Event extends DomainEvent, Of extends Tables, Tallied extends Tables = NoTables> = {
  readonly stream: EventStreamType<Event>
  readonly tables: { readonly [Name in keyof (Of & Tallied)]: TableOf<(Of & Tallied)[Name]> }
  /** By table, the indexed column that holds the ID of the stream that owns the row. */
  readonly owners: { readonly [Name in keyof Of]: keyof Of[Name] & string }
  /** By table shared by many streams, the columns that are combined; the others are the same in all rows of a key. */
  readonly tallies?: { readonly [Name in keyof Tallied]: { readonly [Column in keyof Tallied[Name]]?: Combined } }
  /**
   * The amounts that a row has added to tallies: subtracted when the row is removed by a column, or its stream deleted.
   * Greatest and least values stay.
   */
  readonly counted?: {
    readonly [Name in keyof Of]?: (row: Of[Name]) => { readonly [In in keyof Tallied]: readonly Tallied[In][] }
  }
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => KeysOf<Of & Tallied>
  /** Evolves rows by an event; no I/O, no clock, no random. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOfPart<Of, Tallied>) => void
}

/** A part without its type parameters: a read model passes it only events of its category. */
type SomePart = {
  readonly stream: Pick<EventStreamType, 'category' | 'events'>
  readonly tables: Readonly<Record<string, Table>>
  readonly owners: Readonly<Record<string, string>>
  readonly tallies?: Readonly<Record<string, Readonly<Record<string, Combined | undefined>>>>
  readonly counted?: Readonly<Record<string, ((row: never) => Readonly<Record<string, readonly Row[]>>) | undefined>>
  readonly keys: (event: never) => object
  readonly project: (event: never, rows: never) => void
}

type EventOf<P> = P extends { readonly stream: EventStreamType<infer Event> } ? Event : never

// biome-ignore lint/suspicious/noExplicitAny: events are not asked for here
type TablesOf<P> = P extends Part<any, infer Of extends Tables, infer Tallied extends Tables> ? Of & Tallied : never

type Both<Union> = (Union extends unknown ? (_: Union) => void : never) extends (_: infer All extends Tables) => void
  ? All
  : never

/** Limits rows to those of one stream: this makes parts commute, and parking by stream sound. */
const rowsOfStream = (stream: () => string, table: string, owner: string, rows: Rows<Row>): Rows<Row> => {
  const own = (key: string, row: Row | undefined): Row | undefined => {
    if (row && row[owner] !== idOf(stream())) throw new Error(`${table} ${key} is a row of another stream.`)
    return row
  }
  const get = (key: string) => own(key, rows.get(key))
  const put = (key: string, row: Row) => {
    get(key)
    own(key, row)
    rows.set(key, row)
  }
  const remove = (key: string) => {
    if (get(key)) rows.remove(key)
  }
  return { get, set: put, remove, removeWhere: rows.removeWhere }
}

const further = { greatest: (a: Value, b: Value) => (a > b ? a : b), least: (a: Value, b: Value) => (a < b ? a : b) }

const combine = (how: Combined, to: Value | null, value: Value | null, sign: 1 | -1): Value | null => {
  if (how === 'sum') return Number(to ?? 0) + sign * Number(value ?? 0)
  if (value === null || to === null || sign === -1) return sign === -1 ? to : (to ?? value)
  return further[how](to, value)
}

const combined = (
  columns: Readonly<Record<string, Combined | undefined>>,
  to: Row | undefined,
  row: Row,
  sign: 1 | -1,
) => {
  const rest = to && Object.keys(row).find((column) => !columns[column] && to[column] !== row[column])
  if (rest !== undefined) throw new Error(`${rest} is not combined, and differs between rows of one key.`)
  const total = Object.entries(columns).flatMap(([column, how]) =>
    how ? [{ column, how, value: combine(how, to?.[column] ?? null, row[column] ?? null, sign) }] : [],
  )
  const isLeft = total.some(({ how, value }) => (how === 'sum' ? value !== 0 : value !== null))
  return isLeft ? { ...row, ...Object.fromEntries(total.map(({ column, value }) => [column, value])) } : undefined
}

type AllRows = Readonly<Record<string, Rows<Row>>>

const addTo = (part: SomePart, rows: AllRows, table: string, row: Row, sign: 1 | -1): void => {
  const key = keyOf(part, table, row)
  const total = combined(part.tallies?.[table] ?? {}, rows[table]?.get(key), row, sign)
  if (total) rows[table]?.set(key, total)
  else rows[table]?.remove(key)
}

const keyOf = ({ tables }: SomePart, table: string, row: Row): string => String(row[tables[table]?.key ?? ''])

/** Subtracts a removed row from the tallies. */
const uncounting = (part: SomePart, table: string) => {
  const counted = part.counted?.[table]
  if (!counted) return {}
  const countedIn = (row: Row) => Object.entries(counted(row as never))
  return {
    counted: {
      keys: (row: Row) =>
        Object.fromEntries(countedIn(row).map(([name, all]) => [name, all.map((one) => keyOf(part, name, one))])),
      subtract: (row: Row, rows: AllRows) => {
        for (const [name, all] of countedIn(row)) for (const one of all) addTo(part, rows, name, one, -1)
      },
    },
  }
}

/** The rows of a part as an event of one stream sees them. */
const openPart = (part: SomePart, stream: () => string, rows: AllRows) => {
  const owned = Object.entries(part.owners).map(([table, owner]) => {
    const all = rows[table]
    return [table, all && rowsOfStream(stream, table, owner, all)] as const
  })
  const tallies = Object.keys(part.tallies ?? {}).map((table): [string, Tally<Row>] => [
    table,
    { add: (row) => addTo(part, rows, table, row, 1) },
  ])
  return Object.fromEntries<unknown>([...owned, ...tallies])
}

/** The projection that the engine runs: one checkpoint for all parts. */
export const readModel = <const Parts extends readonly SomePart[]>({
  name,
  version,
  parts,
}: {
  readonly name: string
  readonly version: number
  readonly parts: Parts
}): Projection<EventOf<Parts[number]>, Both<TablesOf<Parts[number]>>> => {
  const byCategory = new Map(parts.map((part) => [part.stream.category, { part, codec: createCodec(part.stream) }]))
  const names = parts.flatMap(({ tables }) => Object.keys(tables))
  if (byCategory.size < parts.length || new Set(names).size < names.length)
    throw new Error(`Read model ${name}: a category or a table belongs to two parts.`)
  const of = ({ stream }: Pick<StoredEvent, 'stream'>) => {
    const found = byCategory.get(categoryOf(stream))
    if (!found) throw new Error(`Read model ${name} has no part for ${categoryOf(stream)}.`)
    return found
  }
  const owned = parts.flatMap((part) =>
    Object.entries(part.owners).map(([table, column]) => {
      const { category } = part.stream
      return [table, { column, category, ...uncounting(part, table) }] as const
    }),
  )
  // Opened once per step: for each event it would cost more than the projecting.
  const opened = new WeakMap<AllRows, Map<SomePart, unknown>>()
  let stream = ''
  const rowsOf = (part: SomePart, rows: AllRows): unknown => {
    const parts = opened.get(rows) ?? new Map<SomePart, unknown>()
    const known = parts.get(part) ?? openPart(part, () => stream, rows)
    opened.set(rows, parts.set(part, known))
    return known
  }
  const projection = {
    name,
    version,
    categories: [...byCategory.keys()],
    codec: { decode: (stored: StoredEvent) => of(stored).codec.decode(stored) },
    tables: Object.assign({}, ...parts.map(({ tables }) => tables)),
    owned: Object.fromEntries(owned),
    keys: (event: RecordedEvent<DomainEvent>) => of(event).part.keys(event as never),
    project: (event: RecordedEvent<DomainEvent>, rows: AllRows) => {
      const { part } = of(event)
      stream = event.stream
      part.project(event as never, rowsOf(part, rows) as never)
    },
  }
  return projection as unknown as Projection<EventOf<Parts[number]>, Both<TablesOf<Parts[number]>>>
}
