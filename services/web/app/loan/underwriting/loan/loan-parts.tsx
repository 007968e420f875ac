// What the page of a loan is made of, now and in the past: its title, what is known, what has happened.
import type { LoanHistory } from '@headwater/deciders/loan/loan-answers'
import type { RefObject } from 'react'
import { Link } from 'react-router'
import { Status } from '../../../shared/status.tsx'
import { Time } from '../../../shared/time.tsx'
import { eurosText, referenceOf } from '../../loan.ts'
import { eventText } from './event-text.ts'
import type { KnownLoan } from './loan.server.ts'

export const LoanTitle = ({ loan, heading }: { loan: KnownLoan; heading: RefObject<HTMLHeadingElement | null> }) => (
  <>
    <p>
      <Link to="/underwriting">All that wait</Link>
    </p>
    <div className="title">
      <h1 ref={heading} tabIndex={-1}>
        {loan.name}, {eurosText(loan.amount)}
      </h1>
      <p role="status" className="standing">
        <Status status={loan.status} />
      </p>
    </div>
  </>
)

export const Facts = ({ loan }: { loan: KnownLoan }) => {
  const facts = [
    ['Address', loan.address],
    ['National id', loan.nationalId],
    ['Score', loan.score],
    ['Reference', referenceOf(loan.loanId)],
  ] as const
  return (
    <dl className="answers">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value ?? 'not known yet'}</dd>
        </div>
      ))}
    </dl>
  )
}

const placeOf = (revision: number, shown: number) => {
  if (revision === shown) return 'now'
  return revision < shown ? 'done' : 'to come'
}

/** @param shown the revision after which the page shows the loan; none for now */
export const History = ({ events, shown }: LoanHistory & { shown?: number }) => (
  <section aria-labelledby="history">
    <h2 id="history">What has happened</h2>
    <ol className="timeline">
      {events.map((event) => {
        const { revision, data, recordedAt, type } = event
        const place = shown === undefined ? 'done' : placeOf(revision, shown)
        const text = eventText(event)
        return (
          <li key={revision} data-place={place} aria-current={place === 'now' ? 'step' : undefined}>
            <h3>
              {place === 'to come' && <span className="unseen">Later: </span>}
              {text}
            </h3>
            {typeof data.reason === 'string' && <p>“{data.reason}”</p>}
            <p className="quiet">
              <Time at={recordedAt} /> · {type} ·{' '}
              {place === 'now' ? (
                'Shown here'
              ) : (
                <Link to={`?asOf=${revision}`}>
                  How it was then<span className="unseen">: {text}</span>
                </Link>
              )}
            </p>
          </li>
        )
      })}
    </ol>
  </section>
)
