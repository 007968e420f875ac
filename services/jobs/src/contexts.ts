// The contexts whose events have consequences: a new one is registered here, and its tasks in main.ts.
import { react as reactToPatient } from '@headwater/deciders/consent/reactions'
import { patientStream } from '@headwater/deciders/consent/streams'
import type { DomainEvent } from '@headwater/deciders/decider'
import { reactToDeletion as reactToDeletedLoan, react as reactToLoan } from '@headwater/deciders/loan/reactions'
import { applicantStream, loanStream } from '@headwater/deciders/loan/streams'
import type { EventStreamType } from '@headwater/deciders/stream-type'
import { type Codec, createCodec } from '@headwater/eventstore/codec'

/** A job as a reaction asks for it. What else it has says what it is about; flat or not, and without personal data. */
export type RequestedJob = {
  /** No two contexts have the same; an event leads to one job of a kind. */
  readonly kind: string
  /** After the event. Or: */
  readonly delayMs?: number
  /** An instant. */
  readonly dueAt?: string
  /** One job at a time has this name: the next one takes its place. */
  readonly timer?: string
}

export type Context = {
  readonly category: string
  readonly codec: Codec<DomainEvent>
  readonly react: (event: DomainEvent) => readonly RequestedJob[]
  /** @param id of the stream that was deleted */
  readonly reactToDeletion: (id: string) => readonly RequestedJob[]
}

const context = <Event extends DomainEvent>(
  stream: EventStreamType<Event>,
  react: (event: Event) => readonly RequestedJob[],
  reactToDeletion: Context['reactToDeletion'] = () => [],
): Context => ({
  category: stream.category,
  codec: createCodec(stream),
  // Its codec gives it no others.
  react: (event) => react(event as Event),
  reactToDeletion,
})

export const contexts: readonly Context[] = [
  context(loanStream, reactToLoan, reactToDeletedLoan),
  context(applicantStream, reactToLoan),
  context(patientStream, reactToPatient),
]
