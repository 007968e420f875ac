// The context of consents to see parts of a health record.
import { context } from '../context.ts'
import { patientStream } from './streams.ts'

export const consent = context({ name: 'consent', streams: [patientStream] })
