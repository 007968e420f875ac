// What can stand in the streams of some loans, in whatever order: a projection takes in what is there, not what is likely.
import type { LoanEvent } from '@headwater/deciders/loan/loan-events'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { at } from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'

const decidedAt = '2026-11-21T10:00:00.000Z'
const requestedBy = { kind: 'person', id: 'alice' } as const
const personal = { name: 'Ada Lovelace', nationalId: '555555AA', requestedBy, requestedAt: '2026-11-21T09:00:00.000Z' }

/** Of one type each, with what may differ made of a number. */
const events: readonly ((loanId: string, n: number) => LoanEvent)[] = [
  (loanId, n) => ({ type: 'LoanRequested', data: { loanId, ...personal, address: 'Bath', amount: n } }),
  (loanId, n) => ({ type: 'CreditChecked', data: { loanId, score: 1 + (n % 10), checkedAt: decidedAt } }),
  (loanId) => ({ type: 'ManualReviewRequired', data: { loanId, ...personal, amount: 500, score: 5 } }),
  (loanId) => ({ type: 'AutoApproved', data: { loanId, score: 9, decidedAt } }),
  (loanId) => ({ type: 'AutoDenied', data: { loanId, score: 1, decidedAt } }),
  (loanId, n) => ({ type: 'ManuallyApproved', data: { loanId, decidedBy: 'una', reason: `${n}`, decidedAt } }),
  (loanId) => ({ type: 'ManuallyDenied', data: { loanId, decidedBy: 'una', reason: null, decidedAt } }),
  (loanId) => ({ type: 'LoanWithdrawn', data: { loanId, reason: null, withdrawnAt: decidedAt } }),
  (loanId) => ({ type: 'LoanAbandoned', data: { loanId, abandonedAt: decidedAt } }),
]

const ids = [1, 2, 3].map((n) => `5b0e2c0e-6a3c-4a5e-9d55-0d6f4c1f2a0${n}`)

/** Events of up to three loans as the store would hand them over, at made-up places. */
export const loanStories: fc.Arbitrary<readonly StoredEvent[]> = fc
  .array(fc.record({ loan: fc.nat(2), kind: fc.nat(events.length - 1), n: fc.nat(10_000) }), { maxLength: 20 })
  .map((steps) => {
    const revisions = new Map<string, bigint>()
    return steps.flatMap(({ loan, kind, n }, place) => {
      const [loanId, make] = [ids[loan], events[kind]]
      if (!loanId || !make) return []
      const revision = (revisions.get(loanId) ?? -1n) + 1n
      revisions.set(loanId, revision)
      const [stream, position] = [`loan-${loanId}`, at(place + 1)]
      return [
        { ...make(loanId, n), id: `event ${place}`, stream, revision, position, metadata: {}, recordedAt: new Date() },
      ]
    })
  })
