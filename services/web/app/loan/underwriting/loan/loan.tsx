// One loan as an underwriter sees it: what is known, what has happened, and the decision; or how all that was before.
import { pathTo } from '@headwater/deciders/api'
import { loanApi } from '@headwater/deciders/loan/api'
import type { LoanHistory } from '@headwater/deciders/loan/loan-answers'
import { type RefObject, useRef } from 'react'
import { data, redirect, useNavigation } from 'react-router'
import { z } from 'zod'
import { Connection } from '../../../live/connection.tsx'
import { useFresh } from '../../../live/use-fresh.ts'
import { formKey, isMissing, newKey, parseForm, readForm, send } from '../../../shared/api.server.ts'
import { useKeptFocus } from '../../../shared/use-kept-focus.ts'
import { eurosText, isOver } from '../../loan.ts'
import { useLiveLoan } from '../../use-live-loan.ts'
import type { Route } from './+types/loan'
import { DecidedMeanwhile, Decision, decisions } from './decision.tsx'
import { type KnownLoan, readHistory, readLoan, readPast } from './loan.server.ts'
import { Facts, History, LoanTitle } from './loan-parts.tsx'
import { RevealNationalId } from './national-id.tsx'
import { Past } from './past.tsx'

export const loader = async ({ params: { loanId }, request, context }: Route.LoaderArgs) => {
  const asked = new URL(request.url).searchParams
  // The history is for underwriters only: whoever is refused there is shown nothing of the rest.
  const loadedHistory = await readHistory(context, loanId)
  const asOf = asked.get('asOf')
  if (asOf !== null) return { past: await readPast(context, loanId, asOf), loadedHistory }
  const loaded = await readLoan(context, loanId, asked.get('after'))
  return {
    loaded,
    loadedHistory,
    isMissing: isMissing(context),
    decisionKey: newKey(),
    openedAt: new Date().toISOString(),
  }
}

const decisionForm = z.object({ decision: z.enum(decisions), reason: z.string().default(''), key: formKey })

export const action = async ({ params, request, context }: Route.ActionArgs) => {
  const { decision, reason, key } = parseForm(await readForm(context, request), decisionForm)
  const sent = await send(context, pathTo(loanApi.commands[`${decision}Loan`].path, params.loanId), {
    key,
    body: { reason },
  })
  if (sent.ok) return redirect(`/underwriting/loans/${params.loanId}?after=${sent.position}`, 303)
  const { status, detail, errors = [], decidedBy, decidedByName = decidedBy } = sent.problem
  if (status === 403 || status === 404) throw data(sent.problem, { status })
  const by = typeof decidedByName === 'string' ? ` ${decidedByName} was first.` : ''
  const wrong = errors.map(({ message }) => `The reason: ${message}.`).join(' ')
  return data({ refused: wrong || `${detail}${by}`, reason }, { status })
}

type Props = {
  readonly loaded: KnownLoan
  readonly loadedHistory: LoanHistory
  readonly decisionKey: string
  readonly openedAt: string
  readonly heading: RefObject<HTMLHeadingElement | null>
  readonly refusal: { readonly refused: string; readonly reason: string } | undefined
}

const Now = ({ loaded, loadedHistory, decisionKey, openedAt, heading, refusal }: Props) => {
  const isSending = useNavigation().state !== 'idle'
  const { live, loan } = useLiveLoan(loaded)
  const { value } = useFresh(`/api/loans/${loaded.loanId}/history`, loadedHistory, { changed: loan.status })
  const decidedMeanwhile = !isOver(loaded.status) && isOver(loan.status) && !isSending
  useKeptFocus(heading, loan.status)
  return (
    <article>
      <title>{`${loan.name}, ${eurosText(loan.amount)} · Headwater`}</title>
      <LoanTitle loan={loan} heading={heading} />
      {refusal && (
        <div className="summary" role="alert">
          <h2>Your decision was not taken</h2>
          <p>{refusal.refused}</p>
        </div>
      )}
      <div className="columns">
        <div>
          <Facts loan={loan} />
          <RevealNationalId loanId={loan.loanId} />
          {loan.status === 'awaiting review' && <Decision decisionKey={decisionKey} reason={refusal?.reason ?? ''} />}
          {decidedMeanwhile && !refusal && (
            <DecidedMeanwhile status={loan.status} decidedBy={loan.decidedByName ?? loan.decidedBy ?? null} />
          )}
          <Connection live={live} openedAt={openedAt} />
        </div>
        <History events={value.events} />
      </div>
    </article>
  )
}

export default function UnderwritingLoanPage({ loaderData, actionData }: Route.ComponentProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const past = 'past' in loaderData ? loaderData.past : undefined
  useKeptFocus(heading, past?.loan.revision)
  if ('past' in loaderData)
    return <Past past={loaderData.past} events={loaderData.loadedHistory.events} heading={heading} />
  return <Now {...loaderData} heading={heading} refusal={actionData} />
}
