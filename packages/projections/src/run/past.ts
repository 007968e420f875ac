// Projects events into rows in memory: a read model as it was after any event.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning } from '@headwater/eventstore/position'
import type { Projection } from '../model/projection.ts'
import type { Row } from '../model/read-model.ts'
import type { Checkpoint } from '../model/sink.ts'
import { BadEvent, stepOver } from '../model/step.ts'

const nothingProjected: Checkpoint = {
  position: beginning,
  lastEvent: undefined,
  storeId: '',
  build: '',
  epoch: 0n,
  deadLetters: [],
  replacedTexts: 0,
}

/** All rows of some tables, by table and key. */
export type AllRows<Tables extends Readonly<Record<string, Row>>> = {
  readonly [Name in keyof Tables]: ReadonlyMap<string, Tables[Name]>
}

const changesBy = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
  events: readonly StoredEvent[],
) => {
  try {
    const position = events.at(-1)?.position ?? beginning
    return stepOver(projection, nothingProjected, { events, position }).evolve(new Map())
  } catch (error) {
    throw error instanceof BadEvent ? error.cause : error
  }
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
  const changes = Map.groupBy(changesBy(projection, events), ({ table }) => table)
  const rowsOf = (table: string) =>
    new Map((changes.get(table) ?? []).flatMap(({ key, after }) => (after ? [[key, after] as const] : [])))
  return Object.fromEntries<unknown>(
    Object.keys(projection.tables).map((table) => [table, rowsOf(table)]),
  ) as AllRows<Tables>
}
