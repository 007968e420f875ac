// The rules of a loan from request to decision.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import { anyText, field, lineOfText, longText, name, optionalText } from '../fields.ts'
import type { LoanEvent, RequestedBy } from './loan-events.ts'
import { type Application, evolve, initialState, isTerminal, type LoanState } from './loan-state.ts'

const autoApproveScoreMin = 7
const autoDenyScoreMax = 4
const amountEurosMin = 1
const amountEurosMax = 10_000_000
const addressLengthMax = 300
const reasonLengthMax = 500

// Commands. Inputs are the schemas of bodies and forms; routes.ts adds IDs, time, actor and outside facts.

const reason = optionalText(longText(reasonLengthMax)).meta({ description: 'Why, in a sentence.' })

/** Checked before upper-casing, which turns some letters of other alphabets into ASCII. */
export const nationalId = field(
  'national id',
  anyText()
    .trim()
    .regex(/^[0-9]{6}[A-Za-z]{2}$/, 'six digits, then two letters')
    .toUpperCase(),
)

export const requestLoanInput = z.strictObject({
  name: name.meta({ description: "The applicant's full name.", examples: ['Ada Lovelace'] }),
  address: lineOfText(addressLengthMax).meta({ examples: ['12 St James Square, London'] }),
  nationalId: nationalId.meta({ description: 'Six digits, then two letters.', examples: ['555555AA'] }),
  amount: z
    .int('a whole number of euros')
    .min(amountEurosMin, `at least ${amountEurosMin} euro`)
    .max(amountEurosMax, `at most ${amountEurosMax} euros`)
    .meta({ description: 'Whole euros.', examples: [10_000] }),
})
export const decideLoanInput = z.strictObject({ reason })
export const withdrawLoanInput = z.strictObject({ reason })

/** The credit bureau's answer for a national ID. */
export type CreditScore = { readonly score: number; readonly nationalId: string; readonly checkedAt: string }

type Identified = { readonly loanId: string }

export type LoanCommand =
  | {
      readonly type: 'RequestLoan'
      readonly data: Identified &
        z.infer<typeof requestLoanInput> & {
          readonly requestedBy: RequestedBy
          readonly at: string
          readonly creditScore?: CreditScore
        }
    }
  | { readonly type: 'RecordCreditScore'; readonly data: Identified & { readonly creditScore: CreditScore } }
  | {
      readonly type: 'ApproveLoan' | 'DenyLoan'
      readonly data: Identified & z.infer<typeof decideLoanInput> & { readonly decidedBy: string; readonly at: string }
    }
  | {
      readonly type: 'WithdrawLoan'
      readonly data: Identified & z.infer<typeof withdrawLoanInput> & { readonly at: string }
    }
  | { readonly type: 'AbandonLoan'; readonly data: Identified & { readonly at: string } }

/** Facts of an approval for paying out the loan. */
const payable = ({ amount: amountEuros, requestedBy }: Application) => ({ amountEuros, requestedBy })

const outcome = (application: Application & Identified, { score, checkedAt }: CreditScore): LoanEvent[] => {
  const { loanId } = application
  const creditChecked: LoanEvent = { type: 'CreditChecked', data: { loanId, score, checkedAt } }
  if (score >= autoApproveScoreMin)
    return [
      creditChecked,
      { type: 'AutoApproved', data: { loanId, score, decidedAt: checkedAt, ...payable(application) } },
    ]
  if (score <= autoDenyScoreMax)
    return [creditChecked, { type: 'AutoDenied', data: { loanId, score, decidedAt: checkedAt } }]
  const { name, amount, nationalId, requestedBy, requestedAt } = application
  return [
    creditChecked,
    {
      type: 'ManualReviewRequired',
      data: { loanId, name, amount, nationalId, score, requestedBy, requestedAt },
    },
  ]
}

/** Facts of the existing decision, for a later command. */
const decision = (state: LoanState): Readonly<Record<string, unknown>> => {
  switch (state.status) {
    case 'approved':
    case 'denied':
      return { loanStatus: state.status, decidedBy: state.decidedBy ?? 'the credit check', decidedAt: state.decidedAt }
    case 'withdrawn':
      return { loanStatus: state.status, withdrawnAt: state.withdrawnAt }
    default:
      return { loanStatus: state.status }
  }
}

/** Same answer for callers who are not allowed to know that the loan exists. */
export const loanNotFound = () => new Rejection('loan_not_found', 'There is no such loan.')
const loanAlreadyDecided = (state: LoanState) =>
  new Rejection('loan_already_decided', `The loan is already ${state.status}.`, decision(state))
/** For the applicant: without the name of the underwriter. */
const loanOver = (state: LoanState) => {
  const { decidedBy: _, ...facts } = decision(state)
  return new Rejection('loan_already_decided', `The loan is already ${state.status}.`, facts)
}
const creditScoreMismatch = () =>
  new Rejection('credit_score_mismatch', 'The credit score belongs to another national id.')

const decide = (command: LoanCommand, state: LoanState): readonly LoanEvent[] => {
  switch (command.type) {
    case 'RequestLoan': {
      if (state.status !== 'none') throw new Rejection('loan_already_requested', 'The loan was requested before.')
      const { loanId, name, address, nationalId, amount, requestedBy, at: requestedAt, creditScore } = command.data
      if (creditScore && creditScore.nationalId !== nationalId) throw creditScoreMismatch()
      const requested = { loanId, name, address, nationalId, amount, requestedBy, requestedAt }
      return [{ type: 'LoanRequested', data: requested }, ...(creditScore ? outcome(requested, creditScore) : [])]
    }
    case 'RecordCreditScore': {
      const { loanId, creditScore } = command.data
      switch (state.status) {
        case 'none':
          throw loanNotFound()
        case 'checking':
          if (creditScore.nationalId !== state.nationalId) throw creditScoreMismatch()
          return outcome({ ...state, loanId }, creditScore)
        case 'withdrawn':
        case 'abandoned':
          throw loanAlreadyDecided(state)
        default:
          throw new Rejection('credit_already_checked', 'The credit score of this loan is known already.')
      }
    }
    case 'ApproveLoan':
    case 'DenyLoan': {
      if (state.status === 'none') throw loanNotFound()
      if (state.status !== 'awaiting review')
        throw new Rejection(
          'loan_not_awaiting_review',
          state.status === 'checking' ? 'The credit check is not finished.' : `The loan is already ${state.status}.`,
          decision(state),
        )
      const { loanId, decidedBy, reason = null, at: decidedAt } = command.data
      if (state.requestedBy.kind === 'person' && state.requestedBy.id === decidedBy)
        throw new Rejection('own_loan', 'Nobody decides on their own loan.')
      const decided = { loanId, decidedBy, reason, decidedAt }
      return command.type === 'ApproveLoan'
        ? [{ type: 'ManuallyApproved', data: { ...decided, ...payable(state) } }]
        : [{ type: 'ManuallyDenied', data: decided }]
    }
    case 'WithdrawLoan': {
      if (state.status === 'none') throw loanNotFound()
      if (isTerminal(state)) throw loanOver(state)
      const { loanId, reason = null, at: withdrawnAt } = command.data
      return [{ type: 'LoanWithdrawn', data: { loanId, reason, withdrawnAt } }]
    }
    case 'AbandonLoan':
      // Any event in the stream shows that the request arrived.
      if (state.status !== 'none') return []
      return [{ type: 'LoanAbandoned', data: { loanId: command.data.loanId, abandonedAt: command.data.at } }]
  }
}

export const loan: Decider<LoanCommand, LoanEvent, LoanState> = { initialState, decide, evolve, isTerminal }
