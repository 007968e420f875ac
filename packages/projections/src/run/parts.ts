// A read model made of parts: each stream type has its own tables there, and writes only the rows of the stream at hand.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import { createCodec, type RecordedEvent, type StoredEvent } from '@headwater/eventstore/codec'
import { categoryOf, idOf } from '@headwater/eventstore/stream-name'
import type { Projection, RowsOf } from '../model/projection.ts'
import type { Row, Table, TableOf } from '../model/read-model.ts'
import type { Rows } from '../model/rows.ts'

type Tables = Readonly<Record<string, Row>>

/** What one stream type brings to a read model. */
export type Part<Event extends DomainEvent, Of extends Tables> = {
  readonly stream: EventStreamType<Event>
  readonly tables: { readonly [Name in keyof Of]: TableOf<Of[Name]> }
  /** By table the indexed column that holds the id of the stream whose row it is. */
  readonly owners: { readonly [Name in keyof Of]: keyof Of[Name] & string }
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => { readonly [Name in keyof Of]?: readonly string[] }
  /** Evolves rows by an event; no I/O, no clock, no chance. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOf<Of>) => void
}

/** A part with its types forgotten: a read model brings it the events of its category, and no others. */
type SomePart = {
  readonly stream: Pick<EventStreamType, 'category' | 'events'>
  readonly tables: Readonly<Record<string, Table>>
  readonly owners: Readonly<Record<string, string>>
  readonly keys: (event: never) => Readonly<Record<string, readonly string[] | undefined>>
  readonly project: (event: never, rows: never) => void
}

type EventOf<P> = P extends { readonly stream: EventStreamType<infer Event> } ? Event : never

type TablesOf<P> = P extends { readonly project: (event: never, rows: RowsOf<infer Of extends Tables>) => void }
  ? Of
  : never

type Both<Union> = (Union extends unknown ? (_: Union) => void : never) extends (_: infer All extends Tables) => void
  ? All
  : never

/** Those of one stream: that no stream reads or writes the row of another makes parts commute, and parking by stream sound. */
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
  const byCategory = new Map(
    parts.map((part) => [
      part.stream.category,
      { part, codec: createCodec(part.stream), owners: Object.entries(part.owners) },
    ]),
  )
  const names = parts.flatMap(({ tables }) => Object.keys(tables))
  if (byCategory.size < parts.length || new Set(names).size < names.length)
    throw new Error(`Read model ${name}: a category or a table belongs to two parts.`)
  const of = ({ stream }: Pick<StoredEvent, 'stream'>) => {
    const found = byCategory.get(categoryOf(stream))
    if (!found) throw new Error(`Read model ${name} has no part for ${categoryOf(stream)}.`)
    return found
  }
  const owned = parts.flatMap(({ stream: { category }, owners }) =>
    Object.entries(owners).map(([table, column]) => [table, { column, category }] as const),
  )
  const projection = {
    name,
    version,
    categories: [...byCategory.keys()],
    codec: { decode: (stored: StoredEvent) => of(stored).codec.decode(stored) },
    tables: Object.assign({}, ...parts.map(({ tables }) => tables)),
    owned: Object.fromEntries(owned),
    keys: (event: RecordedEvent<DomainEvent>) => of(event).part.keys(event as never),
    project: (event: RecordedEvent<DomainEvent>, rows: Readonly<Record<string, Rows<Row>>>) => {
      const { part, owners } = of(event)
      const own = owners.map(([table, owner]) => {
        const all = rows[table]
        return [table, all && rowsOfStream(event.stream, table, owner, all)]
      })
      part.project(event as never, Object.fromEntries(own) as never)
    },
  }
  return projection as unknown as Projection<EventOf<Parts[number]>, Both<TablesOf<Parts[number]>>>
}
