// The rules of a reserved user name or e-mail address: at most one holder at a time, for any sequence of commands.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fold, Rejection } from '../src/decider.ts'
import {
  type ReservationCommand,
  type ReservationEvent,
  reservation,
  reservationEvents,
} from '../src/identity/reservation.ts'
import { specification } from './given.ts'

const given = specification(reservation)
const zoe = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const other = '0e7c2f1a-6a4d-4f8b-9f43-5b0c8c5d7e22'
const [first, second] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const
const at = '2026-11-21T10:00:00.000Z'

type Of = readonly [userId: string, reservationId: string]
const command = (type: ReservationCommand['type'], [userId, reservationId]: Of = [zoe, first]): ReservationCommand => ({
  type,
  data: { userId, reservationId, at },
})
const event = (type: ReservationEvent['type'], [userId, reservationId]: Of = [zoe, first]): ReservationEvent => ({
  type,
  data: { userId, reservationId, at },
})

describe('ReserveIdentifier', () => {
  test('is accepted when it is free or was released', () => {
    given().when(command('ReserveIdentifier')).then(event('IdentifierReserved'))
    given(event('IdentifierReserved', [other, second]), event('IdentifierReleased', [other, second]))
      .when(command('ReserveIdentifier'))
      .then(event('IdentifierReserved'))
  })
  test('does nothing when it is repeated', () =>
    given(event('IdentifierReserved')).when(command('ReserveIdentifier')).then())
  test('is accepted again from the holder, so that releasing the older reservation has no effect', () => {
    given(event('IdentifierReserved'))
      .when(command('ReserveIdentifier', [zoe, second]))
      .then(event('IdentifierReserved', [zoe, second]))
    given(event('IdentifierReserved'), event('IdentifierReserved', [zoe, second]))
      .when(command('ReleaseIdentifier'))
      .then()
  })
  test('is refused while another user has it, without facts about that user', () =>
    given(event('IdentifierReserved', [other, second]))
      .when(command('ReserveIdentifier'))
      .refused('identifier_taken'))
})

describe('ReleaseIdentifier', () => {
  test('is accepted for the current reservation', () =>
    given(event('IdentifierReserved')).when(command('ReleaseIdentifier')).then(event('IdentifierReleased')))
  test.each([
    ['never reserved', []],
    ['released before', [event('IdentifierReserved'), event('IdentifierReleased')]],
    ['held by another', [event('IdentifierReserved', [other, second])]],
  ])('does nothing when it is %s', (_, events) =>
    given(...events)
      .when(command('ReleaseIdentifier'))
      .then(),
  )
})

test('for any sequence of commands a reservation changes its holder only after a release', () => {
  const anyOf = fc.tuple(fc.constantFrom(zoe, other), fc.constantFrom(first, second))
  const anyCommand = fc
    .tuple(fc.constantFrom('ReserveIdentifier' as const, 'ReleaseIdentifier' as const), anyOf)
    .map(([type, of]) => command(type, of))
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 20 }), (commands) => {
      const events: ReservationEvent[] = []
      for (const each of commands) {
        try {
          events.push(...reservation.decide(each, fold(reservation, reservation.initialState, events)))
        } catch (error) {
          if (!(error instanceof Rejection)) throw error
        }
      }
      events.forEach(({ type, data }, index) => {
        const before = events[index - 1]
        expect(reservationEvents.schemas[type].safeParse(data).success).toBe(true)
        if (type === 'IdentifierReleased') expect(before?.data.reservationId).toBe(data.reservationId)
        else if (before?.type === 'IdentifierReserved') expect(before.data.userId).toBe(data.userId)
      })
      expect(reservation.isTerminal(fold(reservation, reservation.initialState, events))).toBe(false)
    }),
  )
})
