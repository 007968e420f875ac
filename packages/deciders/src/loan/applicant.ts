// Limits a person to one open application at a time, by a reservation in the applicant's stream.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import type { EventOf, EventTypes } from '../event-types.ts'

const schemas = {
  ApplicationReserved: z.strictObject({ loanId: z.uuid(), at: z.iso.datetime() }),
  ApplicationReleased: z.strictObject({ loanId: z.uuid(), at: z.iso.datetime() }),
}

/** The events of an `applicant-<keyed hash of the national id>` stream, one schema per type. */
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

/** A person may apply again. */
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
        // The caller may be another person: no facts about the open application.
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
