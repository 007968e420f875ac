// Defines reactions: the jobs that follow from the events of a stream.
import type { DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'
import type { EventStreamType } from './stream-type.ts'

/** A job as a reaction requests it. Other fields are its subject, without personal data. */
export type RequestedJob = {
  /** Unique among contexts. An event leads to one job per kind, or per kind and key. */
  readonly kind: string
  /** Distinguishes jobs of one kind and event. Part of the job's ID, so it must never change. */
  readonly key?: string
  /** Delay after the event. Alternatively: */
  readonly delayMs?: number
  /** An instant. */
  readonly dueAt?: string
  /** At most one pending job has this name: the next one replaces it. */
  readonly timer?: string
  /** Jobs of one queue and category run one at a time; without a queue they run concurrently in any order. */
  readonly queue?: string
  /**
   * At most one pending job of the kind has this key. It runs `withinMs` after the first event that requested it, once for
   * all events until then. An event during its run leads to another run.
   */
  readonly merge?: { readonly key: string; readonly withinMs: number }
}

export type Reaction = {
  readonly stream: { readonly category: string; readonly events: EventTypes }
  /** Pure: the same event always requests the same jobs. */
  readonly react: (event: DomainEvent) => readonly RequestedJob[]
  /** @param id of the deleted stream */
  readonly reactToDeletion: (id: string) => readonly RequestedJob[]
}

export const reaction = <Event extends DomainEvent>(
  { category, events }: EventStreamType<Event>,
  react: (event: Event) => readonly RequestedJob[],
  reactToDeletion: Reaction['reactToDeletion'] = () => [],
): Reaction => ({
  stream: { category, events },
  // All events of the stream have its type.
  react: (event) => react(event as Event),
  reactToDeletion,
})
