// The state of a loan, evolved by its events.
import type { LoanEvent, RequestedBy } from './loan-events.ts'

/** The facts of an open application. */
export type Application = {
  readonly name: string
  readonly nationalId: string
  readonly amount: number
  readonly requestedBy: RequestedBy
  readonly requestedAt: string
}

/** Kept after the end of a loan; undefined when the events lack it. */
type Owned = { readonly requestedBy: RequestedBy | undefined }

export type LoanState =
  | { readonly status: 'none' }
  | ({ readonly status: 'checking' } & Application)
  | ({ readonly status: 'awaiting review' } & Application)
  | ({ readonly status: 'approved' | 'denied'; readonly decidedBy: string | null; readonly decidedAt: string } & Owned)
  | ({ readonly status: 'withdrawn'; readonly withdrawnAt: string } & Owned)
  | { readonly status: 'abandoned' }

export const initialState: LoanState = { status: 'none' }

/** The requester; undefined without a loan. */
export const requestedByOf = (state: LoanState): RequestedBy | undefined =>
  'requestedBy' in state ? state.requestedBy : undefined

export const evolve = (state: LoanState, event: LoanEvent): LoanState => {
  switch (event.type) {
    case 'LoanRequested': {
      const { name, nationalId, amount, requestedBy, requestedAt } = event.data
      return { status: 'checking', name, nationalId, amount, requestedBy, requestedAt }
    }
    case 'CreditChecked':
      return state // the outcome event in the same append changes the state
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

/** True when the loan is open and its national ID matches `isPerson`. */
export const isOpenLoanOf = (state: LoanState, isPerson: (nationalId: string) => boolean): boolean =>
  (state.status === 'checking' || state.status === 'awaiting review') && isPerson(state.nationalId)
