// One webhook of a partner: what it was told, telling it again, and turning it off, on, or to another secret.
import { data, Form, Link, redirect } from 'react-router'
import { z } from 'zod'
import { referenceOf } from '../../loan/loan.ts'
import { parseForm, readForm } from '../../shared/api.server.ts'
import { Time } from '../../shared/time.tsx'
import type { Route } from './+types/webhook'
import { Secret } from './secret.tsx'
import { change, type DeliveryShown, orErrorPage, readWebhook, rotateSecret } from './webhooks.server.ts'

export const loader = ({ params, context }: Route.LoaderArgs) => readWebhook(context, params.webhookId)

const wish = z.discriminatedUnion('do', [
  z.object({ do: z.enum(['disable', 'enable']) }),
  z.object({ do: z.literal('rotate'), secretVersion: z.coerce.number().int() }),
  z.object({ do: z.literal('again'), delivery: z.uuid() }),
])

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  const { webhookId } = params
  const wanted = parseForm(await readForm(context, request), wish)
  if (wanted.do === 'rotate') {
    const answer = await rotateSecret(context, webhookId, wanted.secretVersion)
    if (answer.ok) return { secret: answer.body.secret, refused: null }
    const { status, detail } = orErrorPage(answer.problem)
    return data({ secret: null, refused: detail }, { status })
  }
  const path = wanted.do === 'again' ? `deliveries/${wanted.delivery}/again` : `${webhookId}/${wanted.do}`
  const answer = await change(context, path)
  if (answer.ok) return redirect(`/operations/webhooks/${webhookId}`, 303)
  const { status, detail } = orErrorPage(answer.problem)
  return data({ secret: null, refused: detail }, { status })
}

const stateText = { waiting: 'Waiting', delivered: 'Delivered', parked: 'Given up' } as const
const statusOf = { waiting: 'checking', delivered: 'approved', parked: 'denied' } as const

const lastTry = ({ attempts, status, error }: DeliveryShown) => {
  if (attempts === 0) return error ?? 'not tried yet'
  const tries = attempts === 1 ? 'first try' : `try ${attempts}`
  return `${error ?? `answered ${status}`}, ${tries}`
}

export default function WebhookPage({ loaderData: { webhook, deliveries }, actionData }: Route.ComponentProps) {
  const { id, partner, url, registeredAt, registeredBy, disabledAt, secretVersion } = webhook
  const isEnabled = disabledAt === null
  return (
    <>
      <title>{`Webhook of ${partner} · Headwater`}</title>
      <article>
        <p>
          <Link to="/operations/webhooks">All webhooks</Link>
        </p>
        <h1>Webhook of {partner}</h1>
        {actionData?.secret && <Secret secret={actionData.secret} partner={partner} />}
        {actionData?.refused && (
          <div className="summary" role="alert">
            <h2>That was not done</h2>
            <p>{actionData.refused}</p>
          </div>
        )}
        <dl className="answers">
          <div>
            <dt>Address</dt>
            <dd>{url}</dd>
          </div>
          <div>
            <dt>Registered</dt>
            <dd>
              <Time at={registeredAt} /> by {registeredBy}
            </dd>
          </div>
          <div>
            <dt>State</dt>
            <dd>{isEnabled ? 'told of every outcome' : 'disabled: told of nothing'}</dd>
          </div>
          <div>
            <dt>Secret</dt>
            <dd>number {secretVersion}</dd>
          </div>
        </dl>
        <Form method="post" className="actions">
          <input type="hidden" name="secretVersion" value={secretVersion} />
          <button type="submit" name="do" value={isEnabled ? 'disable' : 'enable'} className="button plain">
            {isEnabled ? 'Disable' : 'Enable'}
          </button>
          <button type="submit" name="do" value="rotate" className="button plain">
            Replace the secret
          </button>
        </Form>
        <p className="quiet">A secret that was replaced still signs as well for a day.</p>
      </article>
      <section aria-labelledby="deliveries">
        <h2 id="deliveries">What it was told</h2>
        {deliveries.length === 0 ? (
          <p className="empty">Nothing yet. The next outcome of this partner's applications appears here.</p>
        ) : (
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Message</th>
                  <th scope="col">Application</th>
                  <th scope="col">State</th>
                  <th scope="col">Last try</th>
                  <th scope="col">Since</th>
                  <th scope="col">Once more</th>
                </tr>
              </thead>
              <tbody>
                {deliveries.map((one) => (
                  <tr key={one.id}>
                    <th scope="row">{one.type}</th>
                    <td className="reference">{referenceOf(one.loanId)}</td>
                    <td>
                      <span className="status" data-status={statusOf[one.state]}>
                        {stateText[one.state]}
                      </span>
                    </td>
                    <td>{lastTry(one)}</td>
                    <td>
                      <Time at={one.enteredAt} />
                    </td>
                    <td>
                      <Form method="post">
                        <input type="hidden" name="delivery" value={one.id} />
                        <button
                          type="submit"
                          name="do"
                          value="again"
                          className="button plain small"
                          aria-label={`Tell again: ${one.type} of ${referenceOf(one.loanId)}`}
                        >
                          Tell again
                        </button>
                      </Form>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p>
          <Link to={`/operations/webhooks/${id}`} className="quiet">
            Look again
          </Link>
        </p>
      </section>
    </>
  )
}
