// The context of lending.
import { context } from '../context.ts'
import { applicantStream, loanStream } from './streams.ts'

export const loan = context({ name: 'loan', streams: [loanStream, applicantStream] })
