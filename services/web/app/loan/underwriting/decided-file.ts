// The decided loans as a file. Asked for by a form, so that a name that is searched for stays out of the address.
import { download } from '../../shared/api.server.ts'
import type { Route } from './+types/decided-file'
import { apiRequest, askedInForm } from './underwriting.server.ts'

export const action = async ({ request, context }: Route.ActionArgs) => {
  const { query, headers } = apiRequest(await askedInForm(context, request))
  return download(context, `/api/underwriting/history.csv?${query}`, {
    page: '/underwriting/decided',
    headers,
    signal: request.signal,
  })
}
