// The rules of a reserved user name or e-mail address: one user's at a time, whatever the commands are.
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
  test('accepted where it is free, or free again', () => {
    given().when(command('ReserveIdentifier')).then(event('IdentifierReserved'))
    given(event('IdentifierReserved', [other, second]), event('IdentifierReleased', [other, second]))
      .when(command('ReserveIdentifier'))
      .then(event('IdentifierReserved'))
  })
  test('repeated: nothing to do', () => given(event('IdentifierReserved')).when(command('ReserveIdentifier')).then())
  test('anew by whoever holds it: recorded, so that releasing the old one means nothing', () => {
    given(event('IdentifierReserved'))
      .when(command('ReserveIdentifier', [zoe, second]))
      .then(event('IdentifierReserved', [zoe, second]))
    given(event('IdentifierReserved'), event('IdentifierReserved', [zoe, second]))
      .when(command('ReleaseIdentifier'))
      .then()
  })
  test('refused while another has it, and nothing is told about that one', () =>
    given(event('IdentifierReserved', [other, second]))
      .when(command('ReserveIdentifier'))
      .refused('identifier_taken'))
})

describe('ReleaseIdentifier', () => {
  test('accepted for the reservation that stands', () =>
    given(event('IdentifierReserved')).when(command('ReleaseIdentifier')).then(event('IdentifierReleased')))
  test.each([
    ['never reserved', []],
    ['released before', [event('IdentifierReserved'), event('IdentifierReleased')]],
    ['held by another', [event('IdentifierReserved', [other, second])]],
  ])('%s: nothing to do', (_, events) =>
    given(...events)
      .when(command('ReleaseIdentifier'))
      .then(),
  )
})

test('whatever the commands are, it changes hands only over a release', () => {
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
