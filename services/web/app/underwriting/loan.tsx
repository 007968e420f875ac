// One loan as an underwriter sees it: what is known, what has happened, and the decision.
import { useRef } from 'react'
import { data, Link, redirect, useNavigation } from 'react-router'
import { z } from 'zod'
import { Connection } from '../live/connection.tsx'
import { useFresh } from '../live/use-fresh.ts'
import { useLiveLoan } from '../live/use-live-loan.ts'
import { get, newKey, readForm, send } from '../shared/api.server.ts'
import { eurosText, isOver, referenceOf } from '../shared/loan.ts'
import { publicLoan } from '../shared/loans.server.ts'
import { Status } from '../shared/status.tsx'
import { Time } from '../shared/time.tsx'
import { useKeptFocus } from '../shared/use-kept-focus.ts'
import type { Route } from './+types/loan'
import { DecidedMeanwhile, Decision, decisions } from './decision.tsx'
import { eventText } from './event-text.ts'
import { RevealNationalId } from './national-id.tsx'

const knownLoan = publicLoan.extend({
  name: z.string().optional(),
  address: z.string().optional(),
  nationalId: z.string().optional(),
  score: z.number().nullable().optional(),
  decidedBy: z.string().nullable().optional(),
  decidedByName: z.string().nullable().optional(),
})
const history = z.object({
  events: z.array(
    z.object({
      type: z.string(),
      revision: z.number(),
      recordedAt: z.string(),
      actor: z.string().nullable(),
      actorName: z.string().optional(),
      data: z.record(z.string(), z.unknown()),
    }),
  ),
})

export const loader = async ({ params, request, context }: Route.LoaderArgs) => {
  const after = new URL(request.url).searchParams.get('after')
  const address = `/api/loans/${encodeURIComponent(params.loanId)}`
  // The history is for underwriters only: whoever is refused there is shown nothing of the rest.
  const loadedHistory = await get(context, `${address}/history`, history)
  const loan = await get(context, `${address}${after === null ? '' : `?after=${encodeURIComponent(after)}`}`, knownLoan)
  return { loaded: loan, loadedHistory, decisionKey: newKey(), openedAt: new Date().toISOString() }
}

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  const form = await readForm(context, request)
  const decision = z.enum(decisions).parse(form.get('decision'))
  const reason = String(form.get('reason') ?? '').trim()
  const sent = await send(context, `/api/loans/${params.loanId}/${decision}`, {
    key: String(form.get('key')),
    body: reason === '' ? {} : { reason },
  })
  if (sent.ok) return redirect(`/underwriting/loans/${params.loanId}?after=${sent.position}`, 303)
  const { status, detail, decidedBy, decidedByName = decidedBy } = sent.problem
  if (status === 403 || status === 404) throw data(sent.problem, { status })
  const by = typeof decidedByName === 'string' ? ` ${decidedByName} was first.` : ''
  return data({ refused: `${detail}${by}`, reason }, { status })
}

export default function UnderwritingLoanPage({ loaderData, actionData }: Route.ComponentProps) {
  const { loaded, loadedHistory, decisionKey, openedAt } = loaderData
  const isSending = useNavigation().state !== 'idle'
  const { live, loan } = useLiveLoan(loaded)
  const { value } = useFresh(`/api/loans/${loaded.loanId}/history`, loadedHistory, { changed: loan.status })
  const decidedMeanwhile = !isOver(loaded.status) && isOver(loan.status) && !isSending
  const heading = useRef<HTMLHeadingElement>(null)
  useKeptFocus(heading, loan.status)
  const facts = [
    ['Address', loan.address],
    ['National id', loan.nationalId],
    ['Score', loan.score],
    ['Reference', referenceOf(loan.loanId)],
  ] as const
  return (
    <article>
      <title>{`${loan.name}, ${eurosText(loan.amount)} · Headwater`}</title>
      <p>
        <Link to="/underwriting">All that wait</Link>
      </p>
      <div className="title">
        <h1 ref={heading} tabIndex={-1}>
          {loan.name}, {eurosText(loan.amount)}
        </h1>
        <p role="status" className="standing">
          <Status status={loan.status} />
        </p>
      </div>
      {actionData && (
        <div className="summary" role="alert">
          <h2>Your decision was not taken</h2>
          <p>{actionData.refused}</p>
        </div>
      )}
      <div className="columns">
        <div>
          <dl className="answers">
            {facts.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value ?? 'not known yet'}</dd>
              </div>
            ))}
          </dl>
          <RevealNationalId loanId={loan.loanId} />
          {loan.status === 'awaiting review' && (
            <Decision decisionKey={decisionKey} reason={actionData?.reason ?? ''} />
          )}
          {decidedMeanwhile && !actionData && (
            <DecidedMeanwhile status={loan.status} decidedBy={loan.decidedByName ?? loan.decidedBy ?? null} />
          )}
          <Connection live={live} openedAt={openedAt} />
        </div>
        <section aria-labelledby="history">
          <h2 id="history">What has happened</h2>
          <ol className="timeline">
            {value.events.map((event) => (
              <li key={event.revision} data-place="done">
                <h3>{eventText(event)}</h3>
                {typeof event.data.reason === 'string' && <p>“{event.data.reason}”</p>}
                <p className="quiet">
                  <Time at={event.recordedAt} /> · {event.type}
                </p>
              </li>
            ))}
          </ol>
        </section>
      </div>
    </article>
  )
}
