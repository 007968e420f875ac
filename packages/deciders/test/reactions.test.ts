// The jobs of each event, when they are due, and that every outcome releases the applicant.
import { expect, test } from 'vitest'
import { applicantEvents } from '../src/loan/applicant.ts'
import { type LoanEvent, loanEvents } from '../src/loan/loan-events.ts'
import { evolve, initialState, isTerminal } from '../src/loan/loan-state.ts'
import { react } from '../src/loan/reactions.ts'

const loanId = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const ends = [
  { kind: 'release application', loanId, delayMs: 0 },
  { kind: 'tell partner', loanId, delayMs: 0 },
]
const jobsOf = (type: string) => react({ type, data: { loanId } } as LoanEvent)

test.each([
  ['LoanRequested', [{ kind: 'check credit', loanId, delayMs: 0 }]],
  ['AutoApproved', ends],
  ['AutoDenied', ends],
  ['ManuallyApproved', ends],
  ['ManuallyDenied', ends],
  ['LoanWithdrawn', ends],
  ['ApplicationReserved', [{ kind: 'abandon application', loanId, delayMs: 600_000 }]],
  ['CreditChecked', []],
  ['ManualReviewRequired', []],
  ['LoanAbandoned', []],
  ['ApplicationReleased', []],
])('the jobs of %s', (type, jobs) => expect(jobsOf(type)).toEqual(jobs))

test('every event has a tested reaction', () => {
  for (const type of Object.keys({ ...loanEvents.schemas, ...applicantEvents.schemas }))
    expect(jobsOf(type)).toBeInstanceOf(Array)
})

test('every event that ends a requested loan releases its applicant and notifies a partner', () => {
  const isEnd = (type: string) => isTerminal(evolve(initialState, { type, data: { loanId } } as LoanEvent))
  for (const type of Object.keys(loanEvents.schemas).filter((type) => type !== 'LoanAbandoned'))
    for (const job of ends)
      expect([type, jobsOf(type).some(({ kind }) => kind === job.kind)]).toEqual([type, isEnd(type)])
})
