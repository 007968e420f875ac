// An application's way, in plain words: what is done, what is going on, what is still to come.

import type { PublicLoan } from '@headwater/deciders/loan/loan-answers'
import { Time } from '../../shared/time.tsx'

type Step = {
  readonly title: string
  readonly text?: string
  readonly at?: string | null
  readonly place: 'done' | 'now' | 'to come'
}

const laterSteps = ({ status, decidedAt: at }: PublicLoan): Step[] => {
  const checked: Step = { title: 'Credit checked', place: 'done' }
  const decision: Step = { title: 'Decision', place: 'to come' }
  switch (status) {
    case 'checking':
      return [
        {
          title: 'We are checking your credit',
          text: 'This takes seconds. If the bureau does not answer we keep asking; you need not do anything.',
          place: 'now',
        },
        decision,
      ]
    case 'awaiting review':
      return [
        checked,
        { title: 'An underwriter reads your application', text: 'A person decides from here.', place: 'now' },
        decision,
      ]
    case 'approved':
      return [checked, { title: 'Approved', text: 'Congratulations. The loan is yours.', at, place: 'done' }]
    case 'denied':
      return [
        checked,
        {
          title: 'Declined',
          text: 'We cannot offer you this loan. You are welcome to apply again.',
          at,
          place: 'done',
        },
      ]
    case 'withdrawn':
      return [{ title: 'Withdrawn by you', text: 'It is not looked at any more.', at, place: 'done' }]
    case 'abandoned':
      return [{ title: 'Not completed', text: 'It never reached us whole. Please apply again.', at, place: 'done' }]
  }
}

const placeText = { done: 'Done:', now: 'Now:', 'to come': 'To come:' }

export const Timeline = ({ loan }: { loan: PublicLoan }) => (
  <ol className="timeline">
    {[{ title: 'Application received', at: loan.requestedAt, place: 'done' as const }, ...laterSteps(loan)].map(
      ({ title, text, at, place }: Step) => (
        <li key={title} data-place={place} aria-current={place === 'now' ? 'step' : undefined}>
          <h2>
            <span className="unseen">{placeText[place]} </span>
            {title}
          </h2>
          {at && (
            <p className="quiet">
              <Time at={at} />
            </p>
          )}
          {text && <p>{text}</p>}
        </li>
      ),
    )}
  </ol>
)
