// For all chains of commands the decider agrees with a simple model.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { patient } from '../src/consent/patient.ts'
import { granteeKey, type PatientEvent, patientEvents } from '../src/consent/patient-events.ts'
import { granteeStateOf } from '../src/consent/patient-state.ts'
import { permissionCovering } from '../src/consent/permissions.ts'
import { fold, Rejection } from '../src/decider.ts'
import { entriesOf } from '../src/keyed.ts'
import { chains, createModel } from './consent-model.ts'

const outcome = (
  decide: () => readonly PatientEvent[],
): { readonly events: readonly PatientEvent[]; readonly is: string } => {
  try {
    const events = decide()
    return { events, is: events.length === 0 ? 'nothing' : 'an event' }
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    return { events: [], is: error.code }
  }
}

test('the decider agrees with the model', () => {
  fc.assert(
    fc.property(chains, (chain) => {
      const model = createModel()
      let state = patient.initialState
      for (const step of chain) {
        const { command, expected } = model.next(step)
        const { events, is } = outcome(() => patient.decide(command, state))
        expect([command, is]).toEqual([command, expected])
        for (const { type, data } of events) expect(patientEvents.schemas[type].safeParse(data).success).toBe(true)
        state = fold(patient, state, events)
        for (const { grantee, target, at, has } of model.answers())
          expect([
            grantee,
            target,
            at,
            permissionCovering(granteeStateOf(state, grantee).permissions, target, at) !== undefined,
          ]).toEqual([grantee, target, at, has])
        const asked = entriesOf(state.grantees).flatMap(([key, { requests }]) =>
          requests.map(({ target }) => `${key} ${target}`),
        )
        expect(asked.sort()).toEqual(model.asked())
      }
    }),
    { numRuns: 300 },
  )
})

test('a patient with 10,000 grantees is folded without copying all of them for each event', () => {
  const at = '2026-11-21T10:00:00.000Z'
  const events = Array.from(
    { length: 10_000 },
    (_, n): PatientEvent => ({
      type: 'ConsentGranted',
      data: {
        patientId: 'paula',
        to: { kind: 'doctor', id: `dora-${n}` },
        target: 'exams',
        until: null,
        grantedAt: at,
      },
    }),
  )
  const state = fold(patient, patient.initialState, events)
  expect(new Set(entriesOf(state.grantees).map(([key]) => key))).toEqual(
    new Set(events.map(({ data }) => granteeKey((data as { to: { kind: 'doctor'; id: string } }).to))),
  )
})
