// The rule that spans users: a user name or an e-mail address is one user's. It is held by a reservation in a stream of its own.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import type { EventOf, EventTypes } from '../event-types.ts'

const reserved = z.strictObject({ userId: z.uuid(), reservationId: z.uuid(), at: z.iso.datetime() })

/** The events a `username-<keyed hash>` or an `email-<keyed hash>` stream may hold, a schema a type. */
export const reservationEvents = {
  schemas: { IdentifierReserved: reserved, IdentifierReleased: reserved },
  upcasts: {},
} satisfies EventTypes

export type ReservationEvent = EventOf<typeof reservationEvents>

export type ReservationState =
  | { readonly status: 'free' }
  | { readonly status: 'reserved'; readonly userId: string; readonly reservationId: string; readonly at: string }

const initialState: ReservationState = { status: 'free' }

const evolve = (_state: ReservationState, event: ReservationEvent): ReservationState => {
  switch (event.type) {
    case 'IdentifierReserved':
      return { status: 'reserved', ...event.data }
    case 'IdentifierReleased':
      return initialState
  }
}

/** What one user gives up, another may take. */
const isTerminal = (): boolean => false

export type ReservationCommand = {
  readonly type: 'ReserveIdentifier' | 'ReleaseIdentifier'
  readonly data: { readonly userId: string; readonly reservationId: string; readonly at: string }
}

/** Says nothing about the holder. */
export const identifierTaken = () => new Rejection('identifier_taken', 'The user name or the e-mail address is taken.')

const decide = ({ type, data }: ReservationCommand, state: ReservationState): readonly ReservationEvent[] => {
  switch (type) {
    case 'ReserveIdentifier':
      if (state.status === 'reserved' && state.userId !== data.userId) throw identifierTaken()
      if (state.status === 'reserved' && state.reservationId === data.reservationId) return []
      // Also for whoever holds it: a release that names the older reservation must not take away the newer.
      return [{ type: 'IdentifierReserved', data }]
    case 'ReleaseIdentifier':
      return state.status === 'reserved' && state.reservationId === data.reservationId
        ? [{ type: 'IdentifierReleased', data }]
        : []
  }
}

export const reservation: Decider<ReservationCommand, ReservationEvent, ReservationState> = {
  initialState,
  decide,
  evolve,
  isTerminal,
}
