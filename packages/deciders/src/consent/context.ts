// The context of consents to see parts of a health record.
import { context } from '../context.ts'
import { reaction } from '../reaction.ts'
import { consentApi } from './api.ts'
import { react } from './reactions.ts'
import { patientStream } from './streams.ts'

export const consent = context({
  name: 'consent',
  service: { name: 'consent', port: 8087 },
  api: consentApi,
  streams: [patientStream],
  reactions: [reaction(patientStream, react)],
})
