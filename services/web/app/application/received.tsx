// Said once, right after sending: we have it, this is its number, this is what happens next.
import { Link } from 'react-router'
import { get } from '../shared/api.server.ts'
import { eurosText, referenceOf } from '../shared/loan.ts'
import { publicLoan } from '../shared/loans.server.ts'
import type { Route } from './+types/received'
import { applicationQuery } from './application-query.server.ts'

export const loader = ({ params, request, context }: Route.LoaderArgs) =>
  get(context, applicationQuery(params.loanId, request), publicLoan)

export default function Received({ loaderData: { loanId, amount } }: Route.ComponentProps) {
  return (
    <article className="narrow">
      <title>We have your application · Headwater</title>
      <section className="receipt">
        <p className="kicker">Received</p>
        <h1>We have your application</h1>
        <p>
          for <strong>{eurosText(amount)}</strong>, under the reference number
        </p>
        <p className="reference">{referenceOf(loanId)}</p>
      </section>
      <section>
        <h2>What happens next</h2>
        <ol className="plain">
          <li>We ask the credit bureau. That takes seconds, and often decides at once.</li>
          <li>If its answer is not clear, an underwriter reads your application.</li>
          <li>Your page shows each step. Keep its address: it is how you look in, and how you can withdraw.</li>
        </ol>
        <p className="actions">
          <Link className="button" to={`/applications/${loanId}`}>
            See how it stands
          </Link>
        </p>
      </section>
    </article>
  )
}
