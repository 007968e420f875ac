// Keeps user names and e-mail addresses unique among users: each is reserved in its own stream.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import type { EventOf, EventTypes } from '../event-types.ts'

const reserved = z.strictObject({ userId: z.uuid(), reservationId: z.uuid(), at: z.iso.datetime() })

/** The events of a `username-<keyed hash>` or an `email-<keyed hash>` stream, one schema per type. */
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

/** A released identifier can be reserved again. */
const isTerminal = (): boolean => false

export type ReservationCommand = {
  readonly type: 'ReserveIdentifier' | 'ReleaseIdentifier'
  readonly data: { readonly userId: string; readonly reservationId: string; readonly at: string }
}

/** Does not reveal the holder. */
export const identifierTaken = () => new Rejection('identifier_taken', 'The user name or the e-mail address is taken.')

const decide = ({ type, data }: ReservationCommand, state: ReservationState): readonly ReservationEvent[] => {
  switch (type) {
    case 'ReserveIdentifier':
      if (state.status === 'reserved' && state.userId !== data.userId) throw identifierTaken()
      if (state.status === 'reserved' && state.reservationId === data.reservationId) return []
      // Also for the current holder: releasing an older reservation must not release the newer one.
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
