// What follows from the events of a stream outside of it, as jobs.
import type { DomainEvent } from './decider.ts'
import type { EventTypes } from './event-types.ts'
import type { EventStreamType } from './stream-type.ts'

/** A job as a reaction asks for it. Its other fields say what it is about, without personal data. */
export type RequestedJob = {
  /** No two contexts have the same. An event leads to one job of a kind, or to one of a kind and key. */
  readonly kind: string
  /** Tells the jobs of one kind apart that one event leads to. Part of the job's id, so it never changes. */
  readonly key?: string
  /** After the event. Or: */
  readonly delayMs?: number
  /** An instant. */
  readonly dueAt?: string
  /** One job at a time has this name: the next one replaces it. */
  readonly timer?: string
  /** Jobs of one queue and category run one after the other; without one they run in any order, many at once. */
  readonly queue?: string
  /**
   * One pending job of the kind has this key. It runs this time after the first event that asked for it, once for all
   * events until then. An event that asks while it runs leads to another run.
   */
  readonly merge?: { readonly key: string; readonly withinMs: number }
}

export type Reaction = {
  readonly stream: { readonly category: string; readonly events: EventTypes }
  /** Pure: the same event always asks for the same jobs. */
  readonly react: (event: DomainEvent) => readonly RequestedJob[]
  /** @param id of the stream that was deleted */
  readonly reactToDeletion: (id: string) => readonly RequestedJob[]
}

export const reaction = <Event extends DomainEvent>(
  { category, events }: EventStreamType<Event>,
  react: (event: Event) => readonly RequestedJob[],
  reactToDeletion: Reaction['reactToDeletion'] = () => [],
): Reaction => ({
  stream: { category, events },
  // The events of the stream are those of its type.
  react: (event) => react(event as Event),
  reactToDeletion,
})
