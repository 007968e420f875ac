// The contexts whose events have consequences: a new one is registered here, and its tasks in main.ts.
import { type PatientEvent, patientEvents } from '@headwater/deciders/consent/patient-events'
import { react as reactToPatient } from '@headwater/deciders/consent/reactions'
import type { DomainEvent } from '@headwater/deciders/decider'
import type { EventTypes } from '@headwater/deciders/event-types'
import { type ApplicantEvent, applicantEvents } from '@headwater/deciders/loan/applicant'
import { type LoanEvent, loanEvents } from '@headwater/deciders/loan/loan-events'
import { reactToDeletion as reactToDeletedLoan, react as reactToLoan } from '@headwater/deciders/loan/reactions'
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
  category: string,
  types: EventTypes<Event['type']>,
  react: (event: Event) => readonly RequestedJob[],
  reactToDeletion: Context['reactToDeletion'] = () => [],
): Context => ({
  category,
  codec: createCodec<Event>(types),
  // Its codec gives it no others.
  react: (event) => react(event as Event),
  reactToDeletion,
})

export const contexts: readonly Context[] = [
  context<LoanEvent>('loan', loanEvents, reactToLoan, reactToDeletedLoan),
  context<ApplicantEvent>('applicant', applicantEvents, reactToLoan),
  context<PatientEvent>('patient', patientEvents, reactToPatient),
]
