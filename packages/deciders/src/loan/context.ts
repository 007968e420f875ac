// The context of lending.
import { context } from '../context.ts'
import { reaction } from '../reaction.ts'
import { loanApi } from './api.ts'
import { react, reactToDeletion } from './reactions.ts'
import { applicantStream, loanStream } from './streams.ts'

export const loan = context({
  name: 'loan',
  service: { name: 'loan', port: 8081 },
  api: loanApi,
  streams: [loanStream, applicantStream],
  reactions: [reaction(loanStream, react, reactToDeletion), reaction(applicantStream, react)],
})
