// Turns a batch of events into one step of a read model: the rows it needs, and how it changes them.
import type { DomainEvent } from '@headwater/deciders/decider'
import type { Batch } from '@headwater/eventstore/client/subscription'
import { isOfEngine, type StoredEvent } from '@headwater/eventstore/codec'
import { comparePosition, formatPosition } from '@headwater/eventstore/position'
import { addKeys, deletionIn, isDeletion, removeRowsOf } from './deletion.ts'
import { Halt } from './halt.ts'
import type { Projection, RowsOf } from './projection.ts'
import type { Row } from './read-model.ts'
import { readableEvent } from './readable.ts'
import { openRows } from './rows.ts'
import type { Checkpoint, Step } from './sink.ts'

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

/**
 * The step that applies a batch. All events of the batch lie after `from`, in order.
 * @throws BadEvent here or in the step's `evolve`
 */
export const stepOver = <Event extends DomainEvent, Tables extends Readonly<Record<string, Row>>>(
  projection: Projection<Event, Tables>,
  from: Checkpoint,
  batch: Batch,
): Step => {
  const keys = new Map(Object.keys(projection.tables).map((table) => [table, new Set<string>()]))
  const events = batch.events.map((stored) => blaming(stored, () => readableEvent(stored)))
  const replacedTexts = events.filter((event, n) => event !== batch.events[n]).length
  const isProjected = (stored: StoredEvent) =>
    !isOfEngine(stored) || (projection.projectsDeletion === true && isDeletion(stored))
  const recorded = events.map((stored) =>
    blaming(stored, () => {
      if (!isProjected(stored)) return undefined
      const event = projection.codec.decode(stored)
      addKeys(keys, projection.keys(event))
      return event
    }),
  )
  const deletion = deletionIn(projection, events)
  const last = batch.events.at(-1)
  // Events that were parked lie before the checkpoint, and must not replace the last event that identifies its history.
  const isNew = last && comparePosition(last.position, from.position) > 0
  const lastEvent = isNew ? { id: last.id, position: last.position } : from.lastEvent
  return {
    from,
    to: { ...from, position: batch.position, lastEvent, replacedTexts: from.replacedTexts + replacedTexts },
    keys,
    deletion,
    evolve: (stored) => {
      // A row whose sums are zero is not stored, and may still be needed.
      const counting = deletion?.counting(stored)
      const opened = [...keys].map(([table, wanted]) =>
        openRows(
          table,
          new Set([...wanted, ...(counting?.get(table) ?? [])]),
          stored.get(table) ?? new Map(),
          projection.tables[table]?.topicColumns,
        ),
      )
      const rows = Object.fromEntries<unknown>(opened.map((table) => [table.name, table.rows])) as RowsOf<Tables>
      events.forEach((stored, n) => {
        const event = recorded[n]
        blaming(stored, () => {
          if (event) projection.project(event, rows)
          if (isDeletion(stored)) removeRowsOf(stored.stream, projection.owned, opened, rows)
        })
      })
      return opened.flatMap((table) => table.changes())
    },
  }
}
