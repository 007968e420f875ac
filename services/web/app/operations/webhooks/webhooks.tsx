// Where partners want to be told of outcomes: all webhooks, and the form that registers one.
import { data, Form, Link, useNavigation } from 'react-router'
import { z } from 'zod'
import { formKey, newKey, parseForm, readForm } from '../../shared/api.server.ts'
import { Time } from '../../shared/time.tsx'
import { Tabs } from '../tabs.tsx'
import type { Route } from './+types/webhooks'
import { Secret } from './secret.tsx'
import { listWebhooks, orErrorPage, registerWebhook } from './webhooks.server.ts'

export const loader = async ({ context }: Route.LoaderArgs) => {
  const { webhooks } = await listWebhooks(context)
  return { webhooks, key: newKey() }
}

const registration = z.object({ key: formKey, partner: z.string(), url: z.string() })

export const action = async ({ request, context }: Route.ActionArgs) => {
  const { key, ...input } = parseForm(await readForm(context, request), registration)
  const answer = await registerWebhook(context, key, input)
  if (answer.ok)
    return data({ registered: answer.body, input: { partner: '', url: '' }, refused: null }, { status: 201 })
  const { status, detail, errors = [] } = orErrorPage(answer.problem)
  return data({ registered: null, input, refused: { detail, errors } }, { status })
}

const fields = [
  { name: 'partner', label: 'Partner', hint: 'Its client id, as the identity provider knows it.', type: 'text' },
  { name: 'url', label: 'Address', hint: 'An https address that the open Internet can reach.', type: 'url' },
] as const

type Refused = { detail: string; errors: { field: string; message: string }[] } | null | undefined

const Register = ({
  refused,
  input,
  sendKey,
}: {
  refused: Refused
  input: Record<string, string>
  sendKey: string
}) => {
  const sending = useNavigation().state !== 'idle'
  const errorOf = (name: string) => refused?.errors.find(({ field }) => field === name)?.message
  return (
    <Form method="post" className="questions" noValidate>
      <input type="hidden" name="key" value={sendKey} />
      {fields.map(({ name, label, hint, type }) => {
        const error = errorOf(name)
        return (
          <div className="field" key={name} data-wrong={error ? true : undefined}>
            <label htmlFor={name}>{label}</label>
            <p id={`${name}-hint`} className="hint">
              {hint}
            </p>
            {error && (
              <p id={`${name}-error`} className="error">
                Give {error}.
              </p>
            )}
            <input
              id={name}
              name={name}
              type={type}
              defaultValue={input[name]}
              autoComplete="off"
              aria-invalid={error ? true : undefined}
              aria-describedby={error ? `${name}-hint ${name}-error` : `${name}-hint`}
            />
          </div>
        )
      })}
      <p className="actions">
        <button type="submit" className="button" aria-disabled={sending}>
          Register
        </button>
      </p>
    </Form>
  )
}

export default function Webhooks({ loaderData: { webhooks, key }, actionData }: Route.ComponentProps) {
  const { registered, refused, input = {} } = actionData ?? {}
  return (
    <>
      <title>Webhooks · Headwater</title>
      <section aria-labelledby="webhooks">
        <Tabs />
        <h2 id="webhooks">Webhooks</h2>
        <p className="lead">Partners are told here what became of the applications they made.</p>
        {registered && <Secret secret={registered.secret} partner={registered.partner} />}
        {webhooks.length === 0 ? (
          <p className="empty">No partner has a webhook yet.</p>
        ) : (
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">Partner</th>
                  <th scope="col">Address</th>
                  <th scope="col">Since</th>
                  <th scope="col" className="number">
                    Waiting
                  </th>
                  <th scope="col" className="number">
                    Given up
                  </th>
                </tr>
              </thead>
              <tbody>
                {webhooks.map(({ id, partner, url, registeredAt, disabledAt, waiting, parked }) => (
                  <tr key={id}>
                    <th scope="row">
                      <Link to={`/operations/webhooks/${id}`}>{partner}</Link>
                      {disabledAt && <span className="quiet"> disabled</span>}
                    </th>
                    <td className="address">{url}</td>
                    <td>
                      <Time at={registeredAt} />
                    </td>
                    <td className="number">{waiting}</td>
                    <td className="number">{parked}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <section aria-labelledby="register" className="narrow">
        <h2 id="register">Register a webhook</h2>
        {refused && (
          <div className="summary" role="alert">
            <h3>Nothing was registered</h3>
            <p>{refused.detail}</p>
          </div>
        )}
        <Register refused={refused} input={input} sendKey={key} key={registered?.id ?? 'new'} />
      </section>
    </>
  )
}
