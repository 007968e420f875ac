// An applicant's own page: how the application stands, changing by itself, and the way to withdraw it.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import { useRef } from 'react'
import { data, Form, redirect, useNavigation } from 'react-router'
import { z } from 'zod'
import { Connection } from '../../live/connection.tsx'
import { formKey, isMissing, newKey, parseForm, readForm, send } from '../../shared/api.server.ts'
import { Status } from '../../shared/status.tsx'
import { useKeptFocus } from '../../shared/use-kept-focus.ts'
import { eurosText, isOver, referenceOf } from '../loan.ts'
import { useLiveLoan } from '../use-live-loan.ts'
import type { Route } from './+types/application'
import { readApplication } from './application.server.ts'
import { LinkOffer } from './link-offer.tsx'
import { Timeline } from './timeline.tsx'

export const loader = async ({ params, request, context }: Route.LoaderArgs) => ({
  loan: await readApplication(context, params.loanId, request),
  isMissing: isMissing(context),
  withdrawKey: newKey(),
  openedAt: new Date().toISOString(),
})

const withdrawal = z.object({ key: formKey })

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  const { key } = parseForm(await readForm(context, request), withdrawal)
  const sent = await send(context, pathTo(loanApi.commands.withdrawLoan.path, params.loanId), { key, body: {} })
  if (sent.ok) return redirect(`/applications/${params.loanId}?after=${sent.position}`, 303)
  if (sent.problem.status === 404) throw data(sent.problem, { status: 404 })
  return data({ refused: sent.problem.status === 409 ? 'decided' : 'not sent' } as const, {
    status: sent.problem.status,
  })
}

const refusedText = {
  decided: 'It was decided before you withdrew it. How it stands is shown below.',
  'not sent': 'We could not do that just now. Please try again in a moment.',
}

const Withdraw = ({ withdrawKey }: { withdrawKey: string }) => {
  const sending = useNavigation().state !== 'idle'
  return (
    <details className="withdraw">
      <summary>Withdraw this application</summary>
      <Form method="post" replace>
        <p>It will not be looked at any more, and this cannot be undone. You can apply again at any time.</p>
        <input type="hidden" name="key" value={withdrawKey} />
        <button type="submit" className="button danger" aria-disabled={sending}>
          {sending ? 'Withdrawing …' : 'Withdraw it'}
        </button>
      </Form>
    </details>
  )
}

export default function Application({ loaderData, actionData }: Route.ComponentProps) {
  const { loan: loaded, withdrawKey, openedAt } = loaderData
  const { live, loan } = useLiveLoan(loaded)
  const heading = useRef<HTMLHeadingElement>(null)
  useKeptFocus(heading, loan.status)
  return (
    <article className="narrow">
      <title>{`${referenceOf(loan.loanId)}: your application · Headwater`}</title>
      <p className="kicker">Application {referenceOf(loan.loanId)}</p>
      <div className="title">
        <h1 ref={heading} tabIndex={-1}>
          {eurosText(loan.amount)}
        </h1>
        <p role="status" className="standing">
          <Status status={loan.status} />
        </p>
      </div>
      {actionData && (
        <div className="summary" role="alert">
          <p>{refusedText[actionData.refused]}</p>
        </div>
      )}
      <Timeline loan={loan} />
      {!isOver(loan.status) && <Withdraw withdrawKey={withdrawKey} />}
      <LinkOffer loanId={loan.loanId} />
      <Connection live={live} openedAt={openedAt} />
    </article>
  )
}
