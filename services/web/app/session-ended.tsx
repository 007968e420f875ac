// Stands in for the answer to a form whose sender is not signed in any more: gives back what was typed, to be sent again.
import { isRouteErrorResponse, Link, useLocation } from 'react-router'
import { SignInLink } from './shared/sign-in-link.tsx'
import { Stream } from './shared/stream.tsx'

type SentForm = readonly (readonly [name: string, value: string])[]

/** The form that the error gives back, if it does. */
export const sentForm = (error: unknown): SentForm | undefined =>
  isRouteErrorResponse(error) && error.data?.code === 'session_ended' ? error.data.sent : undefined

/** What people type, as its field is called where they typed it. */
const labels: ReadonlyMap<string, string> = new Map([
  ['reason', 'Reason'],
  ['partner', 'Partner'],
  ['url', 'Address'],
  ['search', 'Name or reference'],
])

export const SessionEnded = ({ sent }: { sent: SentForm }) => {
  const { pathname, search } = useLocation()
  const typed = sent.flatMap(([name, value]) => {
    const label = labels.get(name)
    return label !== undefined && value !== '' ? [[label, value] as const] : []
  })
  return (
    <article className="notice">
      <title>Your session has ended · Headwater</title>
      <Stream />
      <h1>Your session has ended</h1>
      <p className="lead">
        So nothing was done yet{typed.length > 0 ? ', and what you typed is kept here' : ''}. Sign in, which opens a tab
        of its own, come back to this one, and send it again.
      </p>
      {typed.length > 0 && (
        <dl className="answers">
          {typed.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <form method="post" action={pathname + search}>
        {sent.map(([name, value]) => (
          <input key={`${name} ${value}`} type="hidden" name={name} value={value} />
        ))}
        <p className="actions">
          <SignInLink className="button" elsewhere>
            Sign in, in a new tab
          </SignInLink>
          <button type="submit" className="button plain">
            Send it again
          </button>
          <Link to="/">To the start</Link>
        </p>
      </form>
    </article>
  )
}
