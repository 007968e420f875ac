// Projects events into rows in memory: a read model as it was after any event.
import type { DomainEvent } from '@headwater/deciders/decider'
import { isOfEngine, type StoredEvent } from '@headwater/eventstore/codec'
import type { Projection, RowsOf } from '../model/projection.ts'
import type { Row } from '../model/read-model.ts'
import { readableEvent } from '../model/readable.ts'
import type { Rows } from '../model/rows.ts'

/** All rows of some tables, by table and key. */
export type AllRows<Tables extends Readonly<Record<string, Row>>> = {
  readonly [Name in keyof Tables]: ReadonlyMap<string, Tables[Name]>
}

/**
 * Projects these events and no others.
 * @param events of its categories; those of one stream in order, from the first on
 * @throws Rejection `unknown_event_type`, and errors of the projection
 */
export const rowsAfter = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
  events: readonly StoredEvent[],
): AllRows<Tables> => {
  const tables = Object.keys(projection.tables).map((name) => [name, new Map<string, Row>()] as const)
  const opened = tables.map(([name, kept]): [string, Rows<Row>] => [
    name,
    { get: (key) => kept.get(key), set: (key, row) => kept.set(key, row), remove: (key) => kept.delete(key) },
  ])
  const rows = Object.fromEntries<unknown>(opened) as RowsOf<Tables>
  for (const stored of events)
    if (!isOfEngine(stored)) projection.project(projection.codec.decode(readableEvent(stored)), rows)
  return Object.fromEntries<unknown>(tables) as AllRows<Tables>
}
