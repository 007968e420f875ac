// For a patient: who asks, who sees what since when and until when, and letting somebody see a part.
import type { SeenConsent } from '@headwater/deciders/consent/api'
import { Form, Link, useSearchParams } from 'react-router'
import { isMissing, newKey } from '../shared/api.server.ts'
import { Time } from '../shared/time.tsx'
import type { Route } from './+types/my-record'
import { act, listConsents } from './consents.server.ts'
import { Heading, inForce, KindField, Outcome, TargetField, Term } from './parts.tsx'
import { useConsents } from './use-consents.ts'
import { durations, nameOf, targetWords } from './words.ts'

export const loader = async ({ request, context }: Route.LoaderArgs) => {
  const [{ consents, me }, { consents: requests }] = await Promise.all([
    listConsents(context, request, ''),
    listConsents(context, request, '/requests'),
  ])
  return {
    granted: { consents },
    asked: { consents: requests },
    me,
    isMissing: isMissing(context),
    key: newKey(),
    openedAt: new Date().toISOString(),
  }
}

export const action = ({ request, context }: Route.ActionArgs) => act(context, request, '/consents')

/** What a button sends besides itself: about whom, and which part. */
const Hidden = ({ sendKey, consent, target }: { sendKey: string; consent: SeenConsent; target: string }) => (
  <>
    <input type="hidden" name="key" value={`${sendKey}-${consent.consentId}-${target}`} />
    <input type="hidden" name="kind" value={consent.grantee.kind} />
    <input type="hidden" name="id" value={consent.grantee.id} />
    <input type="hidden" name="target" value={target} />
  </>
)

const Durations = ({ id, label, chosen }: { id: string; label: string; chosen?: string | undefined }) => (
  <div className="field">
    <label htmlFor={id}>{label}</label>
    <select id={id} name="seconds" defaultValue={chosen ?? ''}>
      {durations.map(({ seconds, words }) => (
        <option key={words} value={seconds}>
          {words}
        </option>
      ))}
    </select>
  </div>
)

const Requests = ({ consents, sendKey }: { consents: readonly SeenConsent[]; sendKey: string }) => (
  <ul className="consents">
    {consents.flatMap((consent) =>
      consent.requests.map(({ target, purpose, askedAt }) => (
        <li key={`${consent.consentId} ${target}`}>
          <h3>
            {nameOf(consent)} asks to see {targetWords[target]}
          </h3>
          {purpose !== null && <p>“{purpose}”</p>}
          <p className="quiet">
            <Time at={askedAt} />
          </p>
          <Form method="post" className="answer">
            <Hidden sendKey={sendKey} consent={consent} target={target} />
            <Durations id={`for-${consent.consentId}-${target}`} label="For how long" />
            <p className="actions">
              <button className="button small" type="submit" name="do" value="grant">
                Grant
              </button>
              <button className="button small plain" type="submit" name="do" value="decline">
                Decline
              </button>
            </p>
          </Form>
        </li>
      )),
    )}
  </ul>
)

const Standing = ({ consents, sendKey, now }: { consents: readonly SeenConsent[]; sendKey: string; now: string }) => (
  <ul className="consents">
    {consents.map((consent) => (
      <li key={consent.consentId}>
        <h3>{nameOf(consent)}</h3>
        {inForce(consent, now).map((permission) => (
          <Form method="post" key={permission.target}>
            <Hidden sendKey={sendKey} consent={consent} target={permission.target} />
            <p>
              {targetWords[permission.target]} <Term {...permission} />{' '}
              <button className="link" type="submit" name="do" value="revoke">
                Take back
                <span className="unseen">
                  {' '}
                  {targetWords[permission.target]} from {nameOf(consent)}
                </span>
              </button>
            </p>
          </Form>
        ))}
        <p>
          <Link to={`/consents/${consent.consentId}`}>
            History<span className="unseen"> with {nameOf(consent)}</span>
          </Link>
        </p>
      </li>
    ))}
  </ul>
)

export default function MyRecord({ loaderData, actionData }: Route.ComponentProps) {
  const { key, me, openedAt } = loaderData
  const [search] = useSearchParams()
  const live = useConsents('consents', '', loaderData.granted)
  const asked = useConsents('consent-requests', '/requests', loaderData.asked)
  const now = live.heardAt ?? openedAt
  const standing = live.rows.filter((consent) => inForce(consent, now).length > 0)
  const open = asked.rows.filter(({ requests }) => requests.length > 0)
  const { refused, input = {} } = actionData ?? {}
  return (
    <>
      <title>My record · Headwater</title>
      <section>
        <Heading me={me} live={live} openedAt={openedAt}>
          Who sees my health record
        </Heading>
        <Outcome refused={refused} done={search.get('done')} />
      </section>
      <div className="columns">
        <div>
          <section aria-labelledby="requests">
            <h2 id="requests">Requests</h2>
            {open.length === 0 ? <p className="empty">Nobody asks.</p> : <Requests consents={open} sendKey={key} />}
          </section>
          <section aria-labelledby="standing">
            <h2 id="standing">Granted</h2>
            {standing.length === 0 ? (
              <p className="empty">Nobody but you sees anything.</p>
            ) : (
              <Standing consents={standing} sendKey={key} now={now} />
            )}
          </section>
        </div>
        <section aria-labelledby="grant" className="decision">
          <h2 id="grant">Let somebody see a part</h2>
          <Form method="post" className="questions" key={key}>
            <input type="hidden" name="key" value={key} />
            <KindField id="kind" label="Who is it" chosen={input.kind || undefined} />
            <div className="field">
              <label htmlFor="id">Their id</label>
              <p id="id-hint" className="hint">
                As they told you; it is on their own page.
              </p>
              <input id="id" name="id" defaultValue={input.id} autoComplete="off" aria-describedby="id-hint" required />
            </div>
            <TargetField id="target" chosen={input.target || undefined} />
            <Durations id="seconds" label="How long" chosen={input.seconds} />
            <p className="actions">
              <button className="button" type="submit" name="do" value="grant">
                Let them see it
              </button>
            </p>
          </Form>
        </section>
      </div>
    </>
  )
}
