// A loan as it was after one step of its history: marked as the past, with what that step changed and the way back to now.
import type { LoanChanges, LoanHistory, LoanStatus } from '@headwater/deciders/loan/loan-answers'
import type { ReactNode, RefObject } from 'react'
import { Link } from 'react-router'
import { Time } from '../../../shared/time.tsx'
import { eurosText, statusText } from '../../loan.ts'
import type { PastLoan } from './loan.server.ts'
import { Facts, History, LoanTitle } from './loan-parts.tsx'

const labels: Readonly<Record<string, string>> = {
  status: 'Status',
  score: 'Score',
  decidedBy: 'Decided by',
  reason: 'Reason',
  decidedAt: 'Decided',
}

const Value = ({
  field,
  value,
  events,
}: { field: string; value: LoanChanges['changes'][number]['after'] } & LoanHistory): ReactNode => {
  if (value === null) return 'not yet'
  if (field === 'status') return statusText[value as LoanStatus]
  if (field === 'decidedAt') return <Time at={String(value)} />
  if (field === 'decidedBy') return events.find(({ actor }) => actor === value)?.actorName ?? value
  return value
}

const Changes = ({ changes, events }: Pick<PastLoan, 'changes'> & LoanHistory) => {
  if (!changes) return <p>Everything: with it the application began.</p>
  if (changes.length === 0) return <p>Nothing that is shown here.</p>
  return (
    <dl className="answers">
      {changes.map(({ field, before, after }) => (
        <div key={field}>
          <dt>{labels[field] ?? field}</dt>
          <dd>
            <span className="before">
              <Value field={field} value={before} events={events} />
            </span>
            <span aria-hidden="true"> → </span>
            <span className="unseen">, then </span>
            <Value field={field} value={after} events={events} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

type Props = LoanHistory & { readonly past: PastLoan; readonly heading: RefObject<HTMLHeadingElement | null> }

export const Past = ({ past: { loan, changes }, events, heading }: Props) => {
  const step = events.findIndex(({ revision }) => revision === loan.revision)
  const event = events[step]
  return (
    <article>
      <title>{`${loan.name}, ${eurosText(loan.amount)}, as it was · Headwater`}</title>
      <LoanTitle loan={loan} heading={heading} />
      <div className="summary past">
        <p>
          <strong>This is the past.</strong> The application is shown as it was
          {event && (
            <>
              {' '}
              after step {step + 1} of {events.length}, on <Time at={event.recordedAt} />
            </>
          )}
          .
        </p>
        <p>
          <Link to={`/underwriting/loans/${loan.loanId}`} className="button plain small">
            Back to now
          </Link>
        </p>
      </div>
      <div className="columns">
        <div>
          <Facts loan={loan} />
          <section aria-labelledby="step">
            <h2 id="step">What this step changed</h2>
            <Changes changes={changes} events={events} />
          </section>
        </div>
        <History events={events} shown={loan.revision} />
      </div>
    </article>
  )
}
