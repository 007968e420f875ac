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
