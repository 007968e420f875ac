// Defines a projection: pure functions from the events of some categories to rows.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Codec, RecordedEvent } from '@headwater/eventstore/codec'
import type { ReadModel, Row, TableOf } from './read-model.ts'
import type { Rows } from './rows.ts'

/** A table whose rows belong to streams: a row goes when its stream is deleted. */
type OwnedTable<Tables extends Readonly<Record<string, Row>>, Name extends keyof Tables> = {
  /** The indexed column that holds the id of the stream. */
  readonly column: keyof Tables[Name] & string
  /** The category of those streams; every category of the projection when absent. */
  readonly category?: string
  /** Rows of other tables that count a row, and how to subtract it. */
  readonly counted?: {
    readonly keys: (row: Tables[Name]) => KeysOf<Tables>
    readonly subtract: (row: Tables[Name], rows: RowsOf<Tables>) => void
  }
}

/**
 * By table, the keys of rows. `{ where }` says that the event removes all rows with a value in an indexed column; where
 * they are very many, most of them before it is projected.
 */
export type KeysOf<Tables> = {
  readonly [Name in keyof Tables]?: readonly (
    | string
    | { readonly where: readonly [column: keyof Tables[Name] & string, value: string] }
  )[]
}

/** From events to rows. Projections commute across streams: only the order within a stream counts. */
export type Projection<Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>> = ReadModel & {
  readonly tables: { readonly [Name in keyof Tables]: TableOf<Tables[Name]> }
  readonly categories: readonly string[]
  /** Parks the stream of an event that cannot be projected or, in streams of many owners, the event alone. */
  readonly parks?: 'stream' | 'event'
  /** The projection stops at more parked events than this: the cause is not the events. */
  readonly parkedMax?: number
  readonly codec: Pick<Codec<Event>, 'decode'>
  /** The rows that `project` will ask for, by table. */
  readonly keys: (event: RecordedEvent<Event>) => KeysOf<Tables>
  /** Evolves rows by an event; no I/O, no clock, no random. */
  readonly project: (event: RecordedEvent<Event>, rows: RowsOf<Tables>) => void
  /** Rows of other tables stay when their stream is deleted. */
  readonly owned?: { readonly [Name in keyof Tables]?: OwnedTable<Tables, Name> }
  /** Also projects the deletion of a stream, which the codec decodes. Other system events are never projected. */
  readonly projectsDeletion?: boolean
}

/** The rows an event concerns, by table. */
export type RowsOf<Tables extends Readonly<Record<string, Row>>> = {
  readonly [Name in keyof Tables]: Rows<Tables[Name]>
}
