// The applicant's rules: one open application at a time, for any sequence of commands.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fold, Rejection } from '../src/decider.ts'
import { type ApplicantCommand, type ApplicantEvent, applicant, applicantEvents } from '../src/loan/applicant.ts'
import { specification } from './given.ts'

const given = specification(applicant)
const loanId = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const otherId = '0e7c2f1a-6a4d-4f8b-9f43-5b0c8c5d7e22'
const at = '2026-11-21T10:00:00.000Z'

const command = (type: ApplicantCommand['type'], of = loanId): ApplicantCommand => ({ type, data: { loanId: of, at } })
const event = (type: ApplicantEvent['type'], of = loanId): ApplicantEvent => ({ type, data: { loanId: of, at } })

describe('ReserveApplication', () => {
  test('is accepted without an earlier application', () =>
    given().when(command('ReserveApplication')).then(event('ApplicationReserved')))

  test('is accepted again after a release', () =>
    given(event('ApplicationReserved', otherId), event('ApplicationReleased', otherId))
      .when(command('ReserveApplication'))
      .then(event('ApplicationReserved')))

  test('does nothing when it is repeated', () =>
    given(event('ApplicationReserved')).when(command('ReserveApplication')).then())

  test('is refused while another is open, without facts about that one', () => {
    const state = fold(applicant, applicant.initialState, [event('ApplicationReserved', otherId)])
    given(event('ApplicationReserved', otherId)).when(command('ReserveApplication')).refused('application_already_open')
    expect(() => applicant.decide(command('ReserveApplication'), state)).toThrow(
      expect.objectContaining({ details: {}, message: expect.not.stringContaining(otherId) }),
    )
  })
})

describe('ReleaseApplication', () => {
  test('is accepted from the loan that holds it', () =>
    given(event('ApplicationReserved')).when(command('ReleaseApplication')).then(event('ApplicationReleased')))

  test.each([
    ['never reserved', []],
    ['released before', [event('ApplicationReserved'), event('ApplicationReleased')]],
    ['held by another', [event('ApplicationReserved', otherId)]],
  ])('does nothing when it is %s', (_, events) =>
    given(...events)
      .when(command('ReleaseApplication'))
      .then(),
  )
})

describe('any sequence of commands', () => {
  const anyCommand = fc
    .tuple(
      fc.constantFrom('ReserveApplication' as const, 'ReleaseApplication' as const),
      fc.constantFrom(loanId, otherId),
    )
    .map(([type, of]) => command(type, of))
  const run = (commands: readonly ApplicantCommand[]) => {
    const events: ApplicantEvent[] = []
    for (const each of commands) {
      try {
        events.push(...applicant.decide(each, fold(applicant, applicant.initialState, events)))
      } catch (error) {
        if (!(error instanceof Rejection)) throw error
      }
    }
    return events
  }

  test('leads to alternating reservations and releases, each release for its reservation', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 20 }), (commands) => {
        const events = run(commands)
        events.forEach(({ type, data }, index) => {
          expect(type).toBe(index % 2 === 0 ? 'ApplicationReserved' : 'ApplicationReleased')
          if (type === 'ApplicationReleased') expect(events[index - 1]?.data.loanId).toBe(data.loanId)
        })
      }),
    )
  })

  test('never ends the stream, and every event matches its schema', () => {
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 20 }), (commands) => {
        const events = run(commands)
        expect(applicant.isTerminal(fold(applicant, applicant.initialState, events))).toBe(false)
        for (const { type, data } of events) expect(applicantEvents.schemas[type].safeParse(data).success).toBe(true)
      }),
    )
  })
})
