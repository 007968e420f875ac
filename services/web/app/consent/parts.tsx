// What the pages of consents have in common: their heading, what was refused or done, and what somebody may see.
import type { SeenConsent } from '@headwater/deciders/consent/api'
import type { ReactNode } from 'react'
import { NavLink } from 'react-router'
import { Connection } from '../live/connection.tsx'
import type { LiveRows } from '../live/use-live-rows.ts'
import { Time } from '../shared/time.tsx'
import { doneWords, kindWords, targetWords } from './words.ts'

/** What the page is about, the way to the other one, and one's own id. */
export const Heading = ({
  children,
  me,
  live,
  openedAt,
}: {
  children: ReactNode
  me: string
  live: Pick<LiveRows<never>, 'state' | 'heardAt'>
  openedAt: string
}) => (
  <>
    <div className="title">
      <h1>{children}</h1>
      <nav className="tabs" aria-label="Consents">
        <NavLink to="/consents" end>
          My record
        </NavLink>
        <NavLink to="/consents/patients">My patients</NavLink>
      </nav>
    </div>
    <div className="toolbar">
      <p className="quiet">
        Your own id, for others to use: <code className="my-id">{me}</code>
      </p>
      <Connection live={live} openedAt={openedAt} />
    </div>
  </>
)

export const Outcome = ({ refused, done }: { refused: string | undefined; done: string | null }) => {
  if (refused !== undefined)
    return (
      <div className="summary" role="alert">
        <h2>Nothing was changed</h2>
        <p>{refused}</p>
      </div>
    )
  const words = doneWords.get(done)
  return words ? (
    <p className="quiet" role="status">
      {words}
    </p>
  ) : null
}

/** What is in force: what has come to its end is left out, whether or not that is written down. */
export const inForce = ({ permissions }: SeenConsent, now: string): SeenConsent['permissions'] =>
  permissions.filter(({ until }) => until === null || now < until)

export const Term = ({ grantedAt, until }: SeenConsent['permissions'][number]) => (
  <span className="quiet">
    since <Time at={grantedAt} />
    {until === null ? ', without end' : null}
    {until !== null && (
      <>
        , until <Time at={until} />
      </>
    )}
  </span>
)

export const TargetField = ({ id, chosen }: { id: string; chosen: string | undefined }) => (
  <div className="field">
    <label htmlFor={id}>Which part</label>
    <select id={id} name="target" defaultValue={chosen ?? 'exams'}>
      {Object.entries(targetWords).map(([target, words]) => (
        <option key={target} value={target}>
          {words}
        </option>
      ))}
    </select>
  </div>
)

export const KindField = ({
  id,
  label,
  chosen,
  none,
}: {
  id: string
  label: string
  chosen: string | undefined
  none?: string
}) => (
  <div className="field">
    <label htmlFor={id}>{label}</label>
    <select id={id} name="kind" defaultValue={chosen ?? (none === undefined ? 'doctor' : '')}>
      {none !== undefined && <option value="">{none}</option>}
      {Object.entries(kindWords).map(([kind, words]) => (
        <option key={kind} value={kind}>
          {words}
        </option>
      ))}
    </select>
  </div>
)
