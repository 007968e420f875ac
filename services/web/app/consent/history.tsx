// What has happened between a patient and one person, in plain words, from the events.
import { Link } from 'react-router'
import { Time } from '../shared/time.tsx'
import type { Route } from './+types/history'
import { readHistory } from './consents.server.ts'
import { eventWords, nameOf } from './words.ts'

export const loader = ({ params, context }: Route.LoaderArgs) => readHistory(context, params.consentId)

export default function History({ loaderData }: Route.ComponentProps) {
  const { events, complete } = loaderData
  return (
    <article>
      <title>{`History with ${nameOf(loaderData)} · Headwater`}</title>
      <p>
        <Link to="/consents">Back to my record</Link>
      </p>
      <h1>History with {nameOf(loaderData)}</h1>
      <ol className="timeline">
        {events.map((event) => (
          <li key={`${event.recordedAt} ${event.type} ${event.data.target}`} data-place="done">
            <h2>{eventWords(event)}</h2>
            <p className="quiet">
              <Time at={event.recordedAt} />
              {event.type === 'ConsentGranted' && event.data.until !== null && (
                <>
                  , until <Time at={event.data.until} />
                </>
              )}
            </p>
          </li>
        ))}
      </ol>
      {!complete && <p>There is more than fits here.</p>}
    </article>
  )
}
