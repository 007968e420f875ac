// The loan's rules: every command accepted, refused and repeated, and properties of any sequence of commands.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fold, Rejection } from '../src/decider.ts'
import {
  type CreditScore,
  decideLoanInput,
  type LoanCommand,
  loan,
  requestLoanInput,
  withdrawLoanInput,
} from '../src/loan/loan.ts'
import { creditBureauAnswer, type LoanEvent, loanEvents } from '../src/loan/loan-events.ts'
import { specification } from './given.ts'

const given = specification(loan)
const loanId = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const nationalId = '555555AA'
const requestedAt = '2026-11-21T10:00:00.000Z'
const checkedAt = '2026-11-21T10:00:01.000Z'
const decidedAt = '2026-11-21T11:00:00.000Z'
const requestedBy = { kind: 'person', id: 'ada' } as const
const person = { name: 'Ada Lovelace', address: '12 St James Square', nationalId, amount: 10_000 }

const creditScore = (score: number, of: string = nationalId): CreditScore => ({ score, nationalId: of, checkedAt })
const requestLoan = (score?: CreditScore): LoanCommand => ({
  type: 'RequestLoan',
  data: { loanId, ...person, requestedBy, at: requestedAt, ...(score ? { creditScore: score } : {}) },
})
const recordCreditScore = (score: CreditScore): LoanCommand => ({
  type: 'RecordCreditScore',
  data: { loanId, creditScore: score },
})
const decide = (type: 'ApproveLoan' | 'DenyLoan', decidedBy = 'grace', reason?: string): LoanCommand => ({
  type,
  data: { loanId, decidedBy, at: decidedAt, ...(reason === undefined ? {} : { reason }) },
})
const withdrawLoan = (reason?: string): LoanCommand => ({
  type: 'WithdrawLoan',
  data: { loanId, at: decidedAt, ...(reason === undefined ? {} : { reason }) },
})
const abandonLoan: LoanCommand = { type: 'AbandonLoan', data: { loanId, at: decidedAt } }

const requested: LoanEvent = { type: 'LoanRequested', data: { loanId, ...person, requestedBy, requestedAt } }
const creditChecked = (score: number): LoanEvent => ({ type: 'CreditChecked', data: { loanId, score, checkedAt } })
const autoApproved = (score: number): LoanEvent => ({
  type: 'AutoApproved',
  data: { loanId, score, decidedAt: checkedAt, amountEuros: person.amount, requestedBy },
})
const autoDenied = (score: number): LoanEvent => ({ type: 'AutoDenied', data: { loanId, score, decidedAt: checkedAt } })
const reviewRequired = (score: number): LoanEvent => {
  const { name, amount } = person
  return { type: 'ManualReviewRequired', data: { loanId, name, amount, nationalId, score, requestedBy, requestedAt } }
}
const manually = (type: 'ManuallyApproved' | 'ManuallyDenied', reason: string | null = null): LoanEvent => ({
  type,
  data: {
    ...{ loanId, decidedBy: 'grace', reason, decidedAt },
    // For paying the loan out.
    ...(type === 'ManuallyApproved' && { amountEuros: person.amount, requestedBy }),
  },
})
const withdrawn: LoanEvent = { type: 'LoanWithdrawn', data: { loanId, reason: null, withdrawnAt: decidedAt } }
const abandoned: LoanEvent = { type: 'LoanAbandoned', data: { loanId, abandonedAt: decidedAt } }
const awaitingReview = [requested, creditChecked(5), reviewRequired(5)]
const outcomeOf = (score: number): LoanEvent =>
  score >= 7 ? autoApproved(score) : score <= 4 ? autoDenied(score) : reviewRequired(score)

describe('RequestLoan', () => {
  test.each([
    [1, 'AutoDenied'],
    [4, 'AutoDenied'],
    [5, 'ManualReviewRequired'],
    [6, 'ManualReviewRequired'],
    [7, 'AutoApproved'],
    [10, 'AutoApproved'],
  ] as const)('is accepted with a score of %i: %s', (score, outcome) => {
    given()
      .when(requestLoan(creditScore(score)))
      .then(requested, creditChecked(score), outcomeOf(score))
    given()
      .when(requestLoan(creditScore(score)))
      .thenTypes('LoanRequested', 'CreditChecked', outcome)
  })

  test('is accepted without a score, which is checked later', () => given().when(requestLoan()).then(requested))

  test('is refused with the score of another person', () =>
    given()
      .when(requestLoan(creditScore(9, '111111AA')))
      .refused('credit_score_mismatch'))

  test.each([
    ['requested', [requested]],
    ['awaiting review', awaitingReview],
    ['decided', [requested, creditChecked(9), autoApproved(9)]],
    ['withdrawn', [requested, withdrawn]],
    ['abandoned', [abandoned]],
  ] as const)('is refused when it is already %s', (_, events) =>
    given(...events)
      .when(requestLoan(creditScore(9)))
      .refused('loan_already_requested'),
  )
})

describe('RecordCreditScore', () => {
  test.each([1, 4, 5, 6, 7, 10])('is accepted while the check is open, and score %i decides', (score) =>
    given(requested)
      .when(recordCreditScore(creditScore(score)))
      .then(creditChecked(score), outcomeOf(score)),
  )

  test('is refused without a request', () =>
    given()
      .when(recordCreditScore(creditScore(9)))
      .refused('loan_not_found'))

  test('is refused with the score of another person', () =>
    given(requested)
      .when(recordCreditScore(creditScore(9, '111111AA')))
      .refused('credit_score_mismatch'))

  test.each([
    ['waiting for review', awaitingReview],
    ['decided by the score', [requested, creditChecked(9), autoApproved(9)]],
    ['decided by hand', [...awaitingReview, manually('ManuallyDenied')]],
  ] as const)('is refused when the score is known: %s', (_, events) =>
    given(...events)
      .when(recordCreditScore(creditScore(9)))
      .refused('credit_already_checked'),
  )

  test('is refused when the applicant has withdrawn', () =>
    given(requested, withdrawn)
      .when(recordCreditScore(creditScore(9)))
      .refused('loan_already_decided', { loanStatus: 'withdrawn', withdrawnAt: decidedAt }))
})

test('an approval of an earlier release without amount and applicant folds to the same state', () => {
  const stateAfter = (event: LoanEvent) => fold(loan, loan.initialState, [...awaitingReview, event])
  const earlier = { type: 'ManuallyApproved', data: { loanId, decidedBy: 'grace', reason: null, decidedAt } } as const
  expect(loanEvents.schemas.ManuallyApproved.safeParse(earlier.data).success).toBe(true)
  expect(stateAfter(earlier)).toEqual(stateAfter(manually('ManuallyApproved')))
})

describe.each([
  ['ApproveLoan', 'ManuallyApproved', 'approved'],
  ['DenyLoan', 'ManuallyDenied', 'denied'],
] as const)('%s', (type, event, status) => {
  test('is accepted while it waits for review, with and without a reason', () => {
    given(...awaitingReview)
      .when(decide(type))
      .then(manually(event))
    given(...awaitingReview)
      .when(decide(type, 'grace', 'steady income'))
      .then(manually(event, 'steady income'))
  })

  test('is refused when there is no such loan', () => given().when(decide(type)).refused('loan_not_found'))

  test('is refused while the credit check is open', () =>
    given(requested).when(decide(type)).refused('loan_not_awaiting_review', { loanStatus: 'checking' }))

  test('is refused when another underwriter repeats it, with the decider and the time', () =>
    given(...awaitingReview, manually(event))
      .when(decide(type, 'joan'))
      .refused('loan_not_awaiting_review', { loanStatus: status, decidedBy: 'grace', decidedAt }))

  test('is refused when the score has decided', () =>
    given(requested, creditChecked(9), autoApproved(9)).when(decide(type)).refused('loan_not_awaiting_review', {
      loanStatus: 'approved',
      decidedBy: 'the credit check',
      decidedAt: checkedAt,
    }))

  test('is refused when it was withdrawn', () =>
    given(...awaitingReview, withdrawn)
      .when(decide(type))
      .refused('loan_not_awaiting_review', { loanStatus: 'withdrawn' }))

  test('is refused for the applicant’s own loan', () =>
    given(...awaitingReview)
      .when(decide(type, requestedBy.id))
      .refused('own_loan'))

  test('is accepted for an anonymous or partner application with the same ID', () => {
    for (const kind of ['anonymous', 'partner'] as const) {
      const other = { ...requestedBy, kind }
      const events = [
        { type: 'LoanRequested', data: { loanId, ...person, requestedBy: other, requestedAt } },
        { type: 'ManualReviewRequired', data: { loanId, ...person, score: 5, requestedBy: other, requestedAt } },
      ] as LoanEvent[]
      given(...events)
        .when(decide(type, requestedBy.id))
        .thenTypes(event)
    }
  })
})

describe('WithdrawLoan', () => {
  test('is accepted while the check or the review is open, with and without a reason', () => {
    given(requested).when(withdrawLoan()).then(withdrawn)
    given(...awaitingReview)
      .when(withdrawLoan('found another'))
      .then({ type: 'LoanWithdrawn', data: { loanId, reason: 'found another', withdrawnAt: decidedAt } })
  })

  test('is refused when there is no such loan', () => given().when(withdrawLoan()).refused('loan_not_found'))

  test.each([
    ['approved', [requested, creditChecked(9), autoApproved(9)]],
    ['denied', [...awaitingReview, manually('ManuallyDenied')]],
    ['withdrawn', [requested, withdrawn]],
  ] as const)('is refused when it is %s', (status, events) =>
    given(...events)
      .when(withdrawLoan())
      .refused('loan_already_decided', { loanStatus: status }),
  )
})

describe('AbandonLoan', () => {
  test('is accepted without a request', () => given().when(abandonLoan).then(abandoned))
  test('does nothing when the request has arrived', () => given(requested).when(abandonLoan).then())
  test('does nothing when it is repeated', () => given(abandoned).when(abandonLoan).then())
})

describe('input', () => {
  test('is trimmed, and the national ID is upper-cased', () =>
    expect(requestLoanInput.parse({ ...person, name: '  Ada Lovelace ', nationalId: ' 555555aa ' })).toEqual(person))

  test.each([
    ['name', '12'],
    ['name', ' '.repeat(5)],
    ['name', 'x'.repeat(121)],
    ['name', 'Ada\u0000Lovelace'],
    ['address', 'London\u0000'],
    ['address', ''],
    ['address', 'x'.repeat(301)],
    ['nationalId', '55555AA'],
    ['nationalId', '555555A1'],
    ['nationalId', '555555AAA'],
    ['nationalId', '٥٥٥٥٥٥AA'],
    ['amount', 0],
    ['amount', 10_000_001],
    ['amount', 1.5],
    ['amount', '100'],
    ['amount', Number.NaN],
    ['creditScore', { score: 10 }],
    ['requestedBy', { kind: 'person', id: 'x' }],
    ['loanId', loanId],
    ['at', requestedAt],
  ])('a wrong %s (%j) is refused', (field, value) =>
    expect(requestLoanInput.safeParse({ ...person, [field]: value }).success).toBe(false),
  )

  test('accepts values at the limits', () => {
    for (const [field, value] of [
      ['name', '李'],
      ['name', 'x'.repeat(120)],
      ['address', 'x'.repeat(300)],
      ['amount', 1],
      ['amount', 10_000_000],
    ] as const)
      expect(requestLoanInput.safeParse({ ...person, [field]: value }).success).toBe(true)
  })

  test('accepts neither an actor nor a time for decisions and withdrawals', () => {
    for (const input of [decideLoanInput, withdrawLoanInput]) {
      expect(input.safeParse({}).success).toBe(true)
      expect(input.safeParse({ reason: 'x'.repeat(500) }).success).toBe(true)
      expect(input.safeParse({ reason: 'x'.repeat(501) }).success).toBe(false)
      expect(input.safeParse({ decidedBy: 'me' }).success).toBe(false)
      expect(input.safeParse({ at: decidedAt }).success).toBe(false)
    }
  })

  test('of the bureau is accepted within its range', () => {
    expect(creditBureauAnswer.safeParse({ score: 1, checkedAt }).success).toBe(true)
    for (const nonsense of [
      {},
      { score: 11, checkedAt },
      { score: 0, checkedAt },
      { score: 5.5, checkedAt },
      { score: 5 },
      'ok',
    ])
      expect(creditBureauAnswer.safeParse(nonsense).success).toBe(false)
  })
})

describe('any sequence of commands', () => {
  const anyScore = fc
    .integer({ min: 1, max: 10 })
    .chain((score) => fc.constantFrom(creditScore(score), creditScore(score, '111111AA')))
  const anyCommand: fc.Arbitrary<LoanCommand> = fc.oneof(
    fc.option(anyScore, { nil: undefined }).map(requestLoan),
    anyScore.map(recordCreditScore),
    fc
      .tuple(fc.constantFrom('ApproveLoan', 'DenyLoan'), fc.constantFrom('grace', 'ada'))
      .map(([type, by]) => decide(type as 'ApproveLoan' | 'DenyLoan', by)),
    fc.option(fc.string(), { nil: undefined }).map(withdrawLoan),
    fc.constant(abandonLoan),
  )
  const run = (commands: readonly LoanCommand[]) => {
    const events: LoanEvent[] = []
    for (const command of commands) {
      try {
        events.push(...loan.decide(command, fold(loan, loan.initialState, events)))
      } catch (error) {
        if (!(error instanceof Rejection)) throw error
      }
    }
    return events
  }
  const histories = fc.array(anyCommand, { maxLength: 12 }).map(run)

  test('leads to acceptance, a rule’s refusal or nothing to do, and never to an error', () => {
    fc.assert(fc.property(fc.array(anyCommand, { maxLength: 12 }), (commands) => void run(commands)))
  })

  test('leads to at most one decision, and no event after it', () => {
    const ends = ['AutoApproved', 'AutoDenied', 'ManuallyApproved', 'ManuallyDenied', 'LoanWithdrawn', 'LoanAbandoned']
    fc.assert(
      fc.property(histories, (events) => {
        const first = events.findIndex(({ type }) => ends.includes(type))
        if (first >= 0) expect(first).toBe(events.length - 1)
      }),
    )
  })

  test('changes nothing in a terminal state', () => {
    fc.assert(
      fc.property(histories, anyCommand, (events, command) => {
        const state = fold(loan, loan.initialState, events)
        if (!loan.isTerminal(state)) return
        let decided: readonly LoanEvent[] = []
        try {
          decided = loan.decide(command, state)
        } catch (error) {
          expect(error).toBeInstanceOf(Rejection)
        }
        expect(decided).toEqual([])
      }),
    )
  })

  test('denies no score above 6 and approves none below 5 automatically', () => {
    fc.assert(
      fc.property(histories, (events) => {
        const checked = events.find(({ type }) => type === 'CreditChecked')
        const types = events.map(({ type }) => type)
        if (checked?.type !== 'CreditChecked') return
        const { score } = checked.data
        if (score < 5) expect(types).not.toContain('ManuallyApproved')
        if (score > 6) expect(types).not.toContain('ManuallyDenied')
        expect(types.includes('ManualReviewRequired')).toBe(score === 5 || score === 6)
      }),
    )
  })

  test('leads to events that match their schemas, also after a JSON round trip', () => {
    fc.assert(
      fc.property(histories, (events) => {
        for (const event of events) {
          expect(loanEvents.schemas[event.type].safeParse(event.data).success).toBe(true)
          expect(JSON.parse(JSON.stringify(event))).toEqual(event)
        }
      }),
    )
  })

  test('is decided without side effects: the same command on the same state gives the same answer', () => {
    fc.assert(
      fc.property(histories, anyCommand, (events, command) => {
        const state = Object.freeze(fold(loan, loan.initialState, events))
        const answer = () => {
          try {
            return loan.decide(command, state)
          } catch (error) {
            return (error as Rejection).code
          }
        }
        expect(answer()).toEqual(answer())
      }),
    )
  })
})

test('personal fields are marked as erasable', () => {
  const marked = Object.entries(loanEvents.schemas).flatMap(([type, schema]) =>
    Object.entries(schema.shape)
      .filter(([, field]) => field.meta()?.personal === true)
      .map(([field]) => `${type}.${field}`),
  )
  expect(marked).toEqual([
    'LoanRequested.name',
    'LoanRequested.address',
    'LoanRequested.nationalId',
    'ManualReviewRequired.name',
    'ManualReviewRequired.nationalId',
    'ManuallyApproved.reason',
    'ManuallyDenied.reason',
    'LoanWithdrawn.reason',
  ])
})
