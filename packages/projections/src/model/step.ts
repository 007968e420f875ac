// From a batch of events to one step of a read model: which rows it needs, and what becomes of them.
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

/** Which event it is, without what it says. */
export type EventPlace = Pick<StoredEvent, 'id' | 'stream' | 'type' | 'revision' | 'position'>

/** An event that a projection cannot project, and why. */
export class BadEvent extends Halt {
  override readonly name = 'BadEvent'
  readonly event: EventPlace
  readonly why: string

  constructor({ id, stream, type, revision, position }: EventPlace, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`${type} ${revision}@${stream}: ${why}`, { cause })
    // Errors are logged with all that they hold: what belongs to a person is not among it.
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

/** @throws when the store's order is broken: it is all that keeps events from being skipped or doubled, so nothing is written past it. */
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
 * The step that takes a read model over a batch. All of the batch lies after `from`, in order.
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
  // Events that waited are behind the checkpoint, which is told from another history by the last one before it.
  const isNew = last && comparePosition(last.position, from.position) > 0
  const lastEvent = isNew ? { id: last.id, position: last.position } : from.lastEvent
  return {
    from,
    to: { ...from, position: batch.position, lastEvent, replacedTexts: from.replacedTexts + replacedTexts },
    keys,
    deletion,
    evolve: (stored) => {
      // A row that counts to zero is not stored, and may be needed all the same.
      const counting = deletion?.counting(stored)
      const opened = [...keys].map(([table, wanted]) =>
        openRows(table, new Set([...wanted, ...(counting?.get(table) ?? [])]), stored.get(table) ?? new Map()),
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
