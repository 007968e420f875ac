// The streams of lending: loans, and applicants with their one open application.
import { streamType } from '../stream-type.ts'
import { applicant, applicantEvents } from './applicant.ts'
import { loan } from './loan.ts'
import { loanEvents } from './loan-events.ts'

export const loanStream = streamType({ category: 'loan', events: loanEvents, decider: loan })
export const applicantStream = streamType({ category: 'applicant', events: applicantEvents, decider: applicant })
