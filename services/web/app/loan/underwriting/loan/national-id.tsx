// The applicant's national id, shown to an underwriter who asks for it on purpose, and who knows that asking is written down.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import { data, Form, Link } from 'react-router'
import { getByPost, readForm } from '../../../shared/api.server.ts'
import { referenceOf } from '../../loan.ts'
import type { Route } from './+types/national-id'

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  await readForm(context, request)
  const { nationalId } = loanApi.queries
  const answer = await getByPost(context, pathTo(nationalId.path, params.loanId), nationalId.answer)
  if (answer.ok) return { nationalId: answer.body.nationalId }
  const { status, detail } = answer.problem
  if (status !== 503) throw data(answer.problem, { status })
  return data({ refused: detail }, { status })
}

/** Shows it by a POST: no link, no prefetch and no way back asks for it. */
export const RevealNationalId = ({ loanId }: { loanId: string }) => (
  <Form method="post" action={`/underwriting/loans/${loanId}/national-id`}>
    <p className="actions">
      <button type="submit" className="button plain small">
        Show the national id
      </button>
      <span className="quiet">It is written down that you did.</span>
    </p>
  </Form>
)

export default function NationalIdPage({ params: { loanId }, actionData }: Route.ComponentProps) {
  return (
    <article className="narrow">
      <title>National id · Headwater</title>
      <h1>National id</h1>
      <p>Of the application {referenceOf(loanId)}.</p>
      {actionData && 'refused' in actionData && (
        <div className="summary" role="alert">
          <h2>It cannot be shown now</h2>
          <p>{actionData.refused}</p>
        </div>
      )}
      {actionData && 'nationalId' in actionData ? (
        <p role="status" className="reference">
          {actionData.nationalId}
        </p>
      ) : (
        <RevealNationalId loanId={loanId} />
      )}
      <p>
        <Link to={`/underwriting/loans/${loanId}`}>Back to the application</Link>
      </p>
    </article>
  )
}
