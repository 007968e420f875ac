// The streams of consents: one per patient, with all requests and grants.
import { entriesOf, keyedOf } from '../keyed.ts'
import { type Snapshot, streamType } from '../stream-type.ts'
import { patient } from './patient.ts'
import { patientEvents } from './patient-events.ts'
import type { PatientState } from './patient-state.ts'
import type { GranteeState } from './permissions.ts'

type EncodedPatient = Omit<PatientState, 'grantees'> & {
  readonly grantees: readonly (readonly [string, GranteeState])[]
}

/** Each version has a recorded snapshot in `recorded-snapshots/`. */
const snapshot: Snapshot<PatientState> = {
  version: 1,
  everyEvents: 100,
  encode: (state): EncodedPatient => ({ ...state, grantees: entriesOf(state.grantees) }),
  decode: (encoded: EncodedPatient) => ({ ...encoded, grantees: keyedOf(encoded.grantees) }),
}

export const patientStream = streamType({ category: 'patient', events: patientEvents, decider: patient, snapshot })
