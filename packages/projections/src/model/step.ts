// Turns a batch of events into one step of a read model: the rows it needs, and how it changes them.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Batch } from '@headwater/eventstore/client/subscription'
import { isOfEngine, type StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition } from '@headwater/eventstore/position'
import { Halt } from './halt.ts'
import type { Projection, RowsOf } from './projection.ts'
import type { Row } from './read-model.ts'
import { readableEvent } from './readable.ts'
import { addKeys, isDeletion, removalOf, removeSelected, rowsOfStream, type Selection, type Tables } from './removal.ts'
import { openRows, type StoredRows } from './rows.ts'
import type { Checkpoint, Removal, Step } from './sink.ts'

/** Identifies an event without its data. */
export type EventPlace = Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'>

/** Thrown for an event that cannot be projected, with the reason. */
export class BadEvent extends Halt {
  override readonly name = 'BadEvent'
  readonly event: EventPlace
  readonly why: string

  constructor({ id, stream, type, revision, position }: EventPlace, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`${type} ${revision}@${stream}: ${why}`, { cause })
    // Errors are logged with all their fields: this one holds no personal data.
    this.event = { id, stream, type, revision, position }
    this.why = why
  }
}

const blaming = <T>(event: StoredEvent, work: () => T): T => {
  try {
    return work()
  } catch (error) {
    throw new BadEvent(event, error)
  }
}

/** @throws when events are out of order: only their order prevents skipped and doubled events, so nothing is written after it. */
export const assertOrder = (from: Checkpoint, { events, position }: Batch): void => {
  let before = from.position
  for (const event of events) {
    if (comparePosition(event.position, before) <= 0)
      throw new BadEvent(event, new Error(`It came after ${formatPosition(before)}, out of order.`))
    before = event.position
  }
  if (comparePosition(position, before) < 0)
    throw new Error(`A batch ended at ${formatPosition(position)}, before its last event at ${formatPosition(before)}.`)
}

type Selected = { readonly stored: StoredEvent; readonly selections: readonly Selection[] }

/** Undefined for several events: the rows of one may be read or made by another. */
const partRemoving = (projection: Tables, [one, next]: readonly Selected[]): Removal['inParts'] =>
  one && !next
    ? (stored) => {
        const keys = new Map(Object.keys(projection.tables).map((table) => [table, new Set<string>()]))
        const removal = removalOf(projection, one.selections, undefined)
        const opened = openAll(projection, { keys, removal }, stored)
        const rows = Object.fromEntries<unknown>(opened.map((table) => [table.name, table]))
        blaming(one.stored, () => {
          for (const selection of one.selections) removeSelected(projection, one.stored.stream, selection, opened, rows)
        })
        return opened.flatMap((table) => table.changes())
      }
    : undefined

/** The events of a batch as a projection sees them, and the rows that they need. */
const planFor = <Event extends DomainEvent, Rows extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Rows>,
  batch: readonly StoredEvent[],
) => {
  const keys = new Map(Object.keys(projection.tables).map((table) => [table, new Set<string>()]))
  const isProjected = (stored: StoredEvent) =>
    !isOfEngine(stored) || (projection.projectsDeletion === true && isDeletion(stored))
  const planned = batch.map((original) =>
    blaming(original, () => {
      const stored = readableEvent(original)
      const event = isProjected(stored) ? projection.codec.decode(stored) : undefined
      const named = event ? addKeys(keys, projection.keys(event)) : []
      const selections = isDeletion(stored) ? [...named, ...rowsOfStream(projection, stored.stream)] : named
      return { stored, event, isReplaced: stored !== original, selections }
    }),
  )
  const selections = planned.flatMap(({ selections }) => selections)
  return { keys, planned, removal: removalOf(projection, selections, partRemoving(projection, planned)) }
}

const openAll = (projection: Tables, { keys, removal }: Pick<Step, 'keys' | 'removal'>, stored: StoredRows) => {
  // A row whose sums are zero is not stored, and may still be needed.
  const counting = removal?.counting(stored)
  return [...keys].map(([table, wanted]) =>
    openRows(
      table,
      new Set([...wanted, ...(counting?.get(table) ?? [])]),
      stored.get(table) ?? new Map(),
      projection.tables[table]?.topicColumns,
    ),
  )
}

/**
 * The step that applies a batch. All events of the batch lie after `from`, in order.
 * @throws BadEvent here or in the step's `evolve`
 */
export const stepOver = <Event extends DomainEvent, Rows extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Rows>,
  from: Checkpoint,
  batch: Batch,
): Step => {
  const { keys, planned, removal } = planFor(projection, batch.events)
  const last = batch.events.at(-1)
  // Events that were parked lie before the checkpoint, and must not replace the last event that identifies its history.
  const isNew = last && comparePosition(last.position, from.position) > 0
  const lastEvent = isNew ? { id: last.id, position: last.position } : from.lastEvent
  const replacedTexts = from.replacedTexts + planned.filter(({ isReplaced }) => isReplaced).length
  return {
    from,
    to: { ...from, position: batch.position, lastEvent, replacedTexts },
    keys,
    removal,
    evolve: (stored) => {
      const opened = openAll(projection, { keys, removal }, stored)
      let current = planned[0]
      const removeWhere = (table: string) => (column: string, value: string) => {
        if (!current?.selections.some((one) => one.table === table && one.column === column && one.value === value))
          throw new Error(`The projection did not say that it removes ${table} by ${column}: keys() must say where.`)
        removeSelected(projection, current.stored.stream, { table, column, value }, opened, rows)
      }
      const rows = Object.fromEntries<unknown>(
        opened.map(({ name, get, set, remove }) => [name, { get, set, remove, removeWhere: removeWhere(name) }]),
      ) as RowsOf<Rows>
      for (current of planned) {
        const { stored, event, selections } = current
        blaming(stored, () => {
          if (event) projection.project(event, rows)
          if (!isDeletion(stored)) return
          for (const selection of selections) removeSelected(projection, stored.stream, selection, opened, rows)
        })
      }
      return opened.flatMap((table) => table.changes())
    },
  }
}
