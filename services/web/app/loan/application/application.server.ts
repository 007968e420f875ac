// Asks for an application on behalf of whoever may see it, waiting for what was just written when the page's address says so.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import { type PublicLoan, publicLoan } from '@headwater/deciders/loan/loan-answers'
import { data, type RouterContextProvider } from 'react-router'
import { getIfSignedIn } from '../../shared/api.server.ts'

const strange = { status: 401, code: 'not_signed_in', detail: 'Whose application this is, this browser does not know.' }

/** @throws the error page; most who are not known here applied without an account, so signing in is only one way on */
export const readApplication = async (
  context: Readonly<RouterContextProvider>,
  loanId: string,
  request: Request,
): Promise<PublicLoan> => {
  const after = new URL(request.url).searchParams.get('after')
  const query = after === null ? '' : `?${new URLSearchParams({ after })}`
  const loan = await getIfSignedIn(context, `${pathTo(loanApi.queries.loan.path, loanId)}${query}`, publicLoan)
  if (!loan) throw data(strange, { status: strange.status })
  return loan
}
