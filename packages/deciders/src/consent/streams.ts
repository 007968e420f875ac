// The streams of consents: a patient's, with all that anybody asked of them and was granted.
import { entriesOf, keyedOf } from '../keyed.ts'
import { type Snapshot, streamType } from '../stream-type.ts'
import { patient } from './patient.ts'
import { patientEvents } from './patient-events.ts'
import type { PatientState } from './patient-state.ts'
import type { Standing } from './permissions.ts'

type EncodedPatient = Omit<PatientState, 'grantees'> & { readonly grantees: readonly (readonly [string, Standing])[] }

/** Of each version one is recorded: `recorded-snapshots/`. */
const snapshot: Snapshot<PatientState> = {
  version: 1,
  everyEvents: 100,
  encode: (state): EncodedPatient => ({ ...state, grantees: entriesOf(state.grantees) }),
  decode: (encoded: EncodedPatient) => ({ ...encoded, grantees: keyedOf(encoded.grantees) }),
}

export const patientStream = streamType({ category: 'patient', events: patientEvents, decider: patient, snapshot })
