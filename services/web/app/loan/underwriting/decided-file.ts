// The decided loans as a file. Asked for by a form, so that a name that is searched for stays out of the address.
import { loanApi } from '@headwater/deciders/loan/api'
import { download } from '../../shared/api.server.ts'
import type { Route } from './+types/decided-file'
import { apiRequest, askedInForm } from './underwriting.server.ts'

export const action = async ({ request, context }: Route.ActionArgs) => {
  const { query, headers } = apiRequest(await askedInForm(context, request))
  return download(context, `${loanApi.queries.decidedFile.path}?${query}`, {
    page: '/underwriting/decided',
    headers,
    signal: request.signal,
  })
}
