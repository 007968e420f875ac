// What can be true of a loan, and how its events make it so.
import type { LoanEvent, RequestedBy } from './loan-events.ts'

/** What an application holds while a decision on it is open. */
export type Application = {
  readonly name: string
  readonly nationalId: string
  readonly amount: number
  readonly requestedBy: RequestedBy
  readonly requestedAt: string
}

/** What remains known of a loan that is over; undefined where the events do not say. */
type Owned = { readonly requestedBy: RequestedBy | undefined }

export type LoanState =
  | { readonly status: 'none' }
  | ({ readonly status: 'checking' } & Application)
  | ({ readonly status: 'awaiting review' } & Application)
  | ({ readonly status: 'approved' | 'denied'; readonly decidedBy: string | null; readonly decidedAt: string } & Owned)
  | ({ readonly status: 'withdrawn'; readonly withdrawnAt: string } & Owned)
  | { readonly status: 'abandoned' }

export const initialState: LoanState = { status: 'none' }

/** Who asked for the loan; undefined where there is none. */
export const requestedByOf = (state: LoanState): RequestedBy | undefined =>
  'requestedBy' in state ? state.requestedBy : undefined

export const evolve = (state: LoanState, event: LoanEvent): LoanState => {
  switch (event.type) {
    case 'LoanRequested': {
      const { name, nationalId, amount, requestedBy, requestedAt } = event.data
      return { status: 'checking', name, nationalId, amount, requestedBy, requestedAt }
    }
    case 'CreditChecked':
      return state // the outcome that follows in the same append says what the score meant
    case 'AutoApproved':
      return { status: 'approved', decidedBy: null, decidedAt: event.data.decidedAt, requestedBy: requestedByOf(state) }
    case 'AutoDenied':
      return { status: 'denied', decidedBy: null, decidedAt: event.data.decidedAt, requestedBy: requestedByOf(state) }
    case 'ManualReviewRequired': {
      const { name, nationalId, amount, requestedBy, requestedAt } = event.data
      return { status: 'awaiting review', name, nationalId, amount, requestedBy, requestedAt }
    }
    case 'ManuallyApproved':
    case 'ManuallyDenied': {
      const { decidedBy, decidedAt } = event.data
      const status = event.type === 'ManuallyApproved' ? 'approved' : 'denied'
      return { status, decidedBy, decidedAt, requestedBy: requestedByOf(state) }
    }
    case 'LoanWithdrawn':
      return { status: 'withdrawn', withdrawnAt: event.data.withdrawnAt, requestedBy: requestedByOf(state) }
    case 'LoanAbandoned':
      return { status: 'abandoned' }
  }
}

export const isTerminal = (state: LoanState): boolean =>
  state.status === 'approved' ||
  state.status === 'denied' ||
  state.status === 'withdrawn' ||
  state.status === 'abandoned'

/** Whether the loan is open and was requested for the person whom `isPerson` knows by the national id. */
export const isOpenLoanOf = (state: LoanState, isPerson: (nationalId: string) => boolean): boolean =>
  (state.status === 'checking' || state.status === 'awaiting review') && isPerson(state.nationalId)
