// For doctors, nurses and other patients: asking for consent, and whose record they may see.
import { Form, useSearchParams } from 'react-router'
import { isMissing, newKey } from '../shared/api.server.ts'
import type { Route } from './+types/my-patients'
import { act, listConsents } from './consents.server.ts'
import { Heading, inForce, KindField, Outcome, TargetField, Term } from './parts.tsx'
import { useConsents } from './use-consents.ts'
import { kindWords, targetWords } from './words.ts'

export const loader = async ({ request, context }: Route.LoaderArgs) => {
  const { consents, me } = await listConsents(context, request, '/granted')
  return { granted: { consents }, me, isMissing: isMissing(context), key: newKey(), openedAt: new Date().toISOString() }
}

export const action = ({ request, context }: Route.ActionArgs) => act(context, request, '/consents/patients')

export default function MyPatients({ loaderData, actionData }: Route.ComponentProps) {
  const { key, me, openedAt } = loaderData
  const [search] = useSearchParams()
  const live = useConsents('granted-consents', '/granted', loaderData.granted)
  const now = live.heardAt ?? openedAt
  const granted = live.rows.filter((consent) => inForce(consent, now).length > 0)
  const { refused, input = {} } = actionData ?? {}
  return (
    <>
      <title>My patients · Headwater</title>
      <section>
        <Heading me={me} live={live} openedAt={openedAt}>
          My patients
        </Heading>
        <Outcome refused={refused} done={search.get('done')} />
      </section>
      <div className="columns">
        <section aria-labelledby="granted">
          <h2 id="granted">What I may see</h2>
          {granted.length === 0 ? (
            <p className="empty">Nobody lets you see anything yet.</p>
          ) : (
            <ul className="consents">
              {granted.map((consent) => (
                <li key={consent.consentId}>
                  <h3>
                    {consent.patientName ?? consent.patientId}{' '}
                    <span className="quiet">as {kindWords[consent.grantee.kind].toLowerCase()}</span>
                  </h3>
                  {inForce(consent, now).map((permission) => (
                    <p key={permission.target}>
                      {targetWords[permission.target]} <Term {...permission} />
                    </p>
                  ))}
                </li>
              ))}
            </ul>
          )}
        </section>
        <section aria-labelledby="ask" className="decision">
          <h2 id="ask">Ask for consent</h2>
          <Form method="post" className="questions" key={key}>
            <input type="hidden" name="key" value={key} />
            <input type="hidden" name="do" value="ask" />
            <div className="field">
              <label htmlFor="id">Whose record</label>
              <p id="id-hint" className="hint">
                The patient’s id.
              </p>
              <input id="id" name="id" defaultValue={input.id} autoComplete="off" aria-describedby="id-hint" required />
            </div>
            <TargetField id="target" chosen={input.target || undefined} />
            <KindField id="kind" label="I ask as" chosen={input.kind} none="the only role I have" />
            <div className="field">
              <label htmlFor="purpose">What for</label>
              <p id="purpose-hint" className="hint">
                In a sentence that the patient will read. You may leave it out.
              </p>
              <textarea
                id="purpose"
                name="purpose"
                rows={3}
                maxLength={300}
                defaultValue={input.purpose}
                aria-describedby="purpose-hint"
              />
            </div>
            <p className="actions">
              <button className="button" type="submit">
                Ask
              </button>
            </p>
          </Form>
        </section>
      </div>
    </>
  )
}
