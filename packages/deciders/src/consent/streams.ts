// The streams of consents: a patient's, with all that anybody asked of them and was granted.
import { streamType } from '../stream-type.ts'
import { patient } from './patient.ts'
import { patientEvents } from './patient-events.ts'

export const patientStream = streamType({ category: 'patient', events: patientEvents, decider: patient })
