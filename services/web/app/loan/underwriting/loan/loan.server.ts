// One loan as the API shows it to underwriters: as it is and as it was, and what has happened.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import { type LoanChanges, seenLoan } from '@headwater/deciders/loan/loan-answers'
import type { RouterContextProvider } from 'react-router'
import type { z } from 'zod'
import { get } from '../../../shared/api.server.ts'

/** Without the fields that the page does not show. */
const knownLoan = seenLoan.omit({ requestedByKind: true, requestedById: true, reason: true, revision: true })
export type KnownLoan = z.infer<typeof knownLoan> & { readonly decidedByName?: string | null | undefined }

const pastLoan = knownLoan.extend({ revision: seenLoan.shape.revision.unwrap() })

/** A loan as it was after a step, and what that step changed; null of the first, with which everything began. */
export type PastLoan = {
  readonly loan: KnownLoan & { revision: number }
  readonly changes: LoanChanges['changes'] | null
}

type Context = Readonly<RouterContextProvider>

const { loan, history, changes } = loanApi.queries

export const readHistory = (context: Context, loanId: string) =>
  get(context, pathTo(history.path, loanId), history.answer)

export const readLoan = (context: Context, loanId: string, after: string | null) =>
  get(context, `${pathTo(loan.path, loanId)}?${new URLSearchParams(after === null ? {} : { after })}`, knownLoan)

export const readPast = async (context: Context, loanId: string, asOf: string): Promise<PastLoan> => {
  const past = await get(context, `${pathTo(loan.path, loanId)}?${new URLSearchParams({ asOf })}`, pastLoan)
  if (past.revision === 0) return { loan: past, changes: null }
  const step = new URLSearchParams({ from: `${past.revision - 1}`, to: `${past.revision}` })
  return { loan: past, ...(await get(context, `${pathTo(changes.path, loanId)}?${step}`, changes.answer)) }
}
