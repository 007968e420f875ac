// Builds a read model from parts: each stream type has its own tables, and an event writes only rows of its own stream.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import { createCodec, type RecordedEvent, type StoredEvent } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { Projection, RowsOf } from '../model/projection.ts'
import type { Row, Table, TableOf } from '../model/read-model.ts'
import type { Rows } from '../model/rows.ts'

type Tables = Readonly<Record<string, Row>>

type NoTables = Readonly<Record<never, Row>>

/** Rows that change only by addition, so that the order of streams does not matter. */
export type Tally<R extends Row> = {
  /** Adds its sums to those of the row with the same key. A row whose sums are all 0 is removed. */
  readonly add: (row: R) => void
}

type RowsOfPart<Of extends Tables, Tallied extends Tables> = RowsOf<Of> & {
  readonly [Name in keyof Tallied]: Tally<Tallied[Name]>
}

/** The tables and functions of one stream type in a read model. */
export type Part<Event extends DomainEvent, Of extends Tables, Tallied extends Tables = NoTables> = {
  readonly stream: EventStreamType<Event>
  readonly tables: { readonly [Name in keyof (Of & Tallied)]: TableOf<(Of & Tallied)[Name]> }
  /** By table, the indexed column that holds the ID of the stream that owns the row. */
  readonly owners: { readonly [Name in keyof Of]: keyof Of[Name] & string }
  /** By table shared by many streams, the columns that are sums. */
  readonly sums?: { readonly [Name in keyof Tallied]: readonly (keyof Tallied[Name] & string)[] }
  /** The amounts that a row has added to tallies: subtracted when the row's stream is deleted. */
  readonly counted?: {
    readonly [Name in keyof Of]?: (row: Of[Name]) => { readonly [In in keyof Tallied]: readonly Tallied[In][] }
  }
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => { readonly [Name in keyof (Of & Tallied)]?: readonly string[] }
  /** Evolves rows by an event; no I/O, no clock, no random. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOfPart<Of, Tallied>) => void
}

/** A part without its type parameters: a read model passes it only events of its category. */
type SomePart = {
  readonly stream: Pick<EventStreamType, 'category' | 'events'>
  readonly tables: Readonly<Record<string, Table>>
  readonly owners: Readonly<Record<string, string>>
  readonly sums?: Readonly<Record<string, readonly string[]>>
  readonly counted?: Readonly<Record<string, ((row: never) => Readonly<Record<string, readonly Row[]>>) | undefined>>
  readonly keys: (event: never) => Readonly<Record<string, readonly string[] | undefined>>
  readonly project: (event: never, rows: never) => void
}

type EventOf<P> = P extends { readonly stream: EventStreamType<infer Event> } ? Event : never

// biome-ignore lint/suspicious/noExplicitAny: events are not asked for here
type TablesOf<P> = P extends Part<any, infer Of extends Tables, infer Tallied extends Tables> ? Of & Tallied : never

type Both<Union> = (Union extends unknown ? (_: Union) => void : never) extends (_: infer All extends Tables) => void
  ? All
  : never

/** Limits rows to those of one stream: this makes parts commute, and parking by stream sound. */
const rowsOfStream = (stream: string, table: string, owner: string, rows: Rows<Row>): Rows<Row> => {
  const own = (key: string, row: Row | undefined): Row | undefined => {
    if (row && row[owner] !== idOf(stream)) throw new Error(`${table} ${key} is a row of another stream.`)
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
  return { get, set: put, remove }
}

const sumOf = (row: Row | undefined, column: string): number => Number(row?.[column] ?? 0)

const added = (sums: readonly string[], to: Row | undefined, row: Row, sign: 1 | -1): Row | undefined => {
  const rest = to && Object.keys(row).find((column) => !sums.includes(column) && to[column] !== row[column])
  if (rest !== undefined) throw new Error(`${rest} is no sum, and differs between rows of one key.`)
  const total = sums.map((column) => [column, sumOf(to, column) + sign * sumOf(row, column)] as const)
  return total.some(([, sum]) => sum !== 0) ? { ...row, ...Object.fromEntries(total) } : undefined
}

type AllRows = Readonly<Record<string, Rows<Row>>>

const addTo = (part: SomePart, rows: AllRows, table: string, row: Row, sign: 1 | -1): void => {
  const key = keyOf(part, table, row)
  const sum = added(part.sums?.[table] ?? [], rows[table]?.get(key), row, sign)
  if (sum) rows[table]?.set(key, sum)
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
const openPart = (part: SomePart, stream: string, rows: AllRows) => {
  const owned = Object.entries(part.owners).map(([table, owner]) => {
    const all = rows[table]
    return [table, all && rowsOfStream(stream, table, owner, all)] as const
  })
  const tallies = Object.keys(part.sums ?? {}).map((table): [string, Tally<Row>] => [
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
      part.project(event as never, openPart(part, event.stream, rows) as never)
    },
  }
  return projection as unknown as Projection<EventOf<Parts[number]>, Both<TablesOf<Parts[number]>>>
}
