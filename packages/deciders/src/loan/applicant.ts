// The rule that spans loans: a person has one open application at a time. It is held by a reservation in the person's own stream.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import type { EventOf, EventTypes } from '../event-types.ts'

const schemas = {
  ApplicationReserved: z.strictObject({ loanId: z.uuid(), at: z.iso.datetime() }),
  ApplicationReleased: z.strictObject({ loanId: z.uuid(), at: z.iso.datetime() }),
}

/** The events an `applicant-<keyed hash of the national id>` stream may hold, a schema a type. */
export const applicantEvents = { schemas, upcasts: {} } satisfies EventTypes
export type ApplicantEvent = EventOf<typeof applicantEvents>

export type ApplicantState = { readonly status: 'free' } | { readonly status: 'reserved'; readonly loanId: string }

const initialState: ApplicantState = { status: 'free' }

const evolve = (_state: ApplicantState, event: ApplicantEvent): ApplicantState => {
  switch (event.type) {
    case 'ApplicationReserved':
      return { status: 'reserved', loanId: event.data.loanId }
    case 'ApplicationReleased':
      return initialState
  }
}

/** A person may apply again and again. */
const isTerminal = (): boolean => false

export type ApplicantCommand = {
  readonly type: 'ReserveApplication' | 'ReleaseApplication'
  readonly data: { readonly loanId: string; readonly at: string }
}

const decide = ({ type, data }: ApplicantCommand, state: ApplicantState): readonly ApplicantEvent[] => {
  const { loanId, at } = data
  const isHolder = state.status === 'reserved' && state.loanId === loanId
  switch (type) {
    case 'ReserveApplication':
      if (isHolder) return []
      if (state.status === 'reserved')
        // Whoever is told this may not be the person: nothing about the other application.
        throw new Rejection(
          'application_already_open',
          'There is an open application for this national id. A new one can follow once that is decided or withdrawn.',
        )
      return [{ type: 'ApplicationReserved', data: { loanId, at } }]
    case 'ReleaseApplication':
      return isHolder ? [{ type: 'ApplicationReleased', data: { loanId, at } }] : []
  }
}

export const applicant: Decider<ApplicantCommand, ApplicantEvent, ApplicantState> = {
  initialState,
  decide,
  evolve,
  isTerminal,
}
