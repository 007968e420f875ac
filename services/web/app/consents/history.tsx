// What has happened between a patient and one person, in plain words, from the events.
import { Link } from 'react-router'
import { Time } from '../shared/time.tsx'
import type { Route } from './+types/history'
import { readHistory } from './consents.server.ts'
import { Tabs } from './parts.tsx'
import { eventWords, nameOf } from './words.ts'

export const loader = ({ params, context }: Route.LoaderArgs) => readHistory(context, params.consentId)

export default function History({ loaderData }: Route.ComponentProps) {
  const { events, complete } = loaderData
  return (
    <>
      <title>{`History with ${nameOf(loaderData)} · Headwater`}</title>
      <Tabs />
      <h1>History with {nameOf(loaderData)}</h1>
      <ol className="consents">
        {events.map((event) => (
          <li key={`${event.recordedAt} ${event.type} ${event.data.target}`}>
            <p>
              {eventWords(event)}
              {event.type === 'ConsentGranted' && event.data.until !== null && (
                <>
                  {' '}
                  Until <Time at={event.data.until} />.
                </>
              )}
            </p>
            <p className="quiet">
              <Time at={event.recordedAt} />
            </p>
          </li>
        ))}
      </ol>
      {!complete && <p>There is more than fits here.</p>}
      <p>
        <Link to="/consents">Back to my record</Link>
      </p>
    </>
  )
}
