// Partners are notified of every outcome and of no other event, without personal data.
import { expect, test } from 'vitest'
import { type LoanEvent, loanEvents } from '../src/loan/loan-events.ts'
import { evolve, initialState, isTerminal } from '../src/loan/loan-state.ts'
import { isOutcome, partnerNews, partnerOf } from '../src/loan/partner-news.ts'

const loanId = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const requestedAt = '2026-11-21T10:00:00.000Z'
const at = '2026-11-22T10:00:00.000Z'
const requested = {
  loanId,
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: '555555AA',
  amount: 10_000,
  requestedBy: { kind: 'partner', id: 'demo-partner' },
  requestedAt,
} as const

test.each([
  ['AutoApproved', { score: 9, decidedAt: at }, 'approved'],
  ['AutoDenied', { score: 1, decidedAt: at }, 'denied'],
  ['ManuallyApproved', { decidedBy: 'grace', reason: 'Ada is kind', decidedAt: at }, 'approved'],
  ['ManuallyDenied', { decidedBy: 'grace', reason: 'Ada is not', decidedAt: at }, 'denied'],
  ['LoanWithdrawn', { reason: 'Ada moved', withdrawnAt: at }, 'withdrawn'],
] as const)('%s is sent with its outcome only', (type, fields, status) => {
  const event = { type, data: { loanId, ...fields } } as LoanEvent
  expect(isOutcome(event) && partnerNews(event, requested)).toEqual({
    type: `loan.${status}`,
    loanId,
    occurredAt: at,
    data: { status, amount: 10_000 },
  })
})

test('exactly the events that end a requested loan are outcomes', () => {
  for (const type of Object.keys(loanEvents.schemas).filter((type) => type !== 'LoanAbandoned')) {
    const event = { type, data: { loanId } } as LoanEvent
    expect([type, isOutcome(event)]).toEqual([type, isTerminal(evolve(initialState, event))])
  }
})

test.each([
  ['partner', 'demo-partner'],
  ['person', undefined],
  ['anonymous', undefined],
] as const)('only a partner is notified: requested by a %s', (kind, partner) => {
  expect(partnerOf({ kind, id: 'demo-partner' })).toBe(partner)
})
