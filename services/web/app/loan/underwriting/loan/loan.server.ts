// One loan as underwriters are told it by the API: as it is and as it was, and what has happened.
import type { RouterContextProvider } from 'react-router'
import { z } from 'zod'
import { get } from '../../../shared/api.server.ts'
import { publicLoan } from '../../loans.server.ts'

const knownLoan = publicLoan.extend({
  name: z.string().optional(),
  address: z.string().optional(),
  nationalId: z.string().optional(),
  score: z.number().nullable().optional(),
  decidedBy: z.string().nullable().optional(),
  decidedByName: z.string().nullable().optional(),
})
export type KnownLoan = z.infer<typeof knownLoan>

const history = z.object({
  events: z.array(
    z.object({
      type: z.string(),
      revision: z.number(),
      recordedAt: z.string(),
      actor: z.string().nullable(),
      actorName: z.string().optional(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
})
export type LoanHistory = z.infer<typeof history>

const pastLoan = knownLoan.extend({ revision: z.number() })
const value = z.union([z.string(), z.number(), z.null()])
const loanChanges = z.object({ changes: z.array(z.object({ field: z.string(), before: value, after: value })) })
export type Change = z.infer<typeof loanChanges>['changes'][number]

/** A loan as it was after a step, and what that step changed; null of the first, with which everything began. */
export type PastLoan = { readonly loan: z.infer<typeof pastLoan>; readonly changes: readonly Change[] | null }

type Context = Readonly<RouterContextProvider>

const addressOf = (loanId: string) => `/api/loans/${encodeURIComponent(loanId)}`

export const readHistory = (context: Context, loanId: string) => get(context, `${addressOf(loanId)}/history`, history)

export const readLoan = (context: Context, loanId: string, after: string | null) =>
  get(context, `${addressOf(loanId)}${after === null ? '' : `?${new URLSearchParams({ after })}`}`, knownLoan)

export const readPast = async (context: Context, loanId: string, asOf: string): Promise<PastLoan> => {
  const address = addressOf(loanId)
  const loan = await get(context, `${address}?${new URLSearchParams({ asOf })}`, pastLoan)
  if (loan.revision === 0) return { loan, changes: null }
  const step = new URLSearchParams({ from: `${loan.revision - 1}`, to: `${loan.revision}` })
  return { loan, changes: (await get(context, `${address}/changes?${step}`, loanChanges)).changes }
}
