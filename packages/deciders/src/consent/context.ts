// The context of consents to see parts of a health record.
import { context } from '../context.ts'
import { reaction } from '../reaction.ts'
import { react } from './reactions.ts'
import { patientStream } from './streams.ts'

export const consent = context({
  name: 'consent',
  streams: [patientStream],
  reactions: [reaction(patientStream, react)],
})
