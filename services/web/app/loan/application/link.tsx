// The link with which an applicant without an account comes back on another device: made on purpose, shown once.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import { useRef, useState } from 'react'
import { data, Form, Link, useNavigation } from 'react-router'
import { post, readForm } from '../../shared/api.server.ts'
import { Time } from '../../shared/time.tsx'
import { useHydrated } from '../../shared/use-hydrated.ts'
import { referenceOf } from '../loan.ts'
import type { Route } from './+types/link'
import { readApplication } from './application.server.ts'

export const loader = ({ params, request, context }: Route.LoaderArgs) =>
  readApplication(context, params.loanId, request)

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  await readForm(context, request)
  const { link } = loanApi.queries
  const answer = await post(context, pathTo(link.path, params.loanId), {}, link.answer)
  if (answer.ok) return data({ link: answer.body, refused: false }, { status: 201 })
  const { status } = answer.problem
  if (status !== 503) throw data(answer.problem, { status })
  return data({ link: null, refused: true }, { status })
}

const CopyLink = ({ url }: { url: string }) => {
  const scripts = useHydrated()
  const field = useRef<HTMLInputElement>(null)
  const [said, say] = useState('')
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url)
      say('Copied.')
    } catch {
      // Browsers may forbid it; then it is marked, for the copy key.
      field.current?.select()
      say('Marked: copy it with the copy key.')
    }
  }
  return (
    <div className="field">
      <label htmlFor="link">Your link</label>
      <input ref={field} id="link" readOnly value={url} spellCheck={false} onFocus={({ target }) => target.select()} />
      {scripts && (
        <p className="actions">
          <button type="button" className="button plain" onClick={copy}>
            Copy the link
          </button>
          <span role="status" className="quiet">
            {said}
          </span>
        </p>
      )}
    </div>
  )
}

export default function LinkPage({ loaderData: { loanId }, actionData }: Route.ComponentProps) {
  const sending = useNavigation().state !== 'idle'
  const link = actionData?.link
  return (
    <article className="narrow">
      <title>A link to come back · Headwater</title>
      <p className="kicker">Application {referenceOf(loanId)}</p>
      <h1>A link to come back</h1>
      <p className="lead">With it you open your application on another device, such as your phone.</p>
      {actionData?.refused && (
        <div className="summary" role="alert">
          <p>No link could be made just now. Please try again in a moment.</p>
        </div>
      )}
      {link ? (
        <>
          <CopyLink url={link.url} />
          <p>
            It works once, until <Time at={link.expiresAt} />. Send it to yourself and to nobody else: whoever opens it
            sees how your application stands, and can withdraw it.
          </p>
        </>
      ) : (
        <Form method="post" className="questions">
          <p>
            It works once, within 30 days. Keep it to yourself: whoever opens it sees how your application stands, and
            can withdraw it.
          </p>
          <p className="actions">
            <button type="submit" className="button" aria-disabled={sending}>
              Make a link
            </button>
          </p>
        </Form>
      )}
      <p>
        <Link to={`/applications/${loanId}`}>Back to the application</Link>
      </p>
    </article>
  )
}
