// Said once, right after sending: we have it, this is its number, this is what happens next.
import { Link } from 'react-router'
import { eurosText, referenceOf } from '../loan.ts'
import type { Route } from './+types/received'
import { readApplication } from './application.server.ts'
import { LinkOffer } from './link-offer.tsx'

export const loader = ({ params, request, context }: Route.LoaderArgs) =>
  readApplication(context, params.loanId, request)

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
          <li>Your page shows each step. It is how you look in, and how you can withdraw.</li>
        </ol>
        <p className="actions">
          <Link className="button" to={`/applications/${loanId}`}>
            See how it stands
          </Link>
        </p>
        <LinkOffer loanId={loanId} />
      </section>
    </article>
  )
}
