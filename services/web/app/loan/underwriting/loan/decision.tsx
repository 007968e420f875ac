// An underwriter's decision: the form, and what stands in its place when somebody else was faster.

import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'
import { useEffect, useRef } from 'react'
import { Form, useNavigation } from 'react-router'
import { statusText } from '../../loan.ts'

export const decisions = { approve: 'approve', deny: 'deny' } as const

export const Decision = ({ decisionKey, reason }: { decisionKey: string; reason: string }) => {
  const sending = useNavigation().state !== 'idle'
  return (
    <Form method="post" className="decision" replace>
      <h2>Your decision</h2>
      <input type="hidden" name="key" value={decisionKey} />
      <div className="field">
        <label htmlFor="reason">Reason</label>
        <p id="reason-hint" className="hint">
          Optional. In a sentence, for whoever reads this later.
        </p>
        <textarea
          id="reason"
          name="reason"
          rows={2}
          maxLength={500}
          defaultValue={reason}
          aria-describedby="reason-hint"
        />
      </div>
      <p className="actions">
        <button type="submit" name="decision" value={decisions.approve} className="button" aria-disabled={sending}>
          Approve
        </button>
        <button type="submit" name="decision" value={decisions.deny} className="button danger" aria-disabled={sending}>
          Decline
        </button>
      </p>
    </Form>
  )
}

export const DecidedMeanwhile = ({ status, decidedBy }: { status: LoanStatus; decidedBy: string | null }) => {
  const notice = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // The form took the focus with it when it went.
    if (document.activeElement === document.body) notice.current?.focus()
  }, [])
  return (
    <div ref={notice} className="summary good" role="alert" tabIndex={-1}>
      <h2>There is nothing left to decide</h2>
      <p>
        {status === 'withdrawn'
          ? 'The applicant has withdrawn it while this page was open.'
          : `${decidedBy ?? 'Somebody else'} has decided while this page was open: ${statusText[status].toLowerCase()}.`}
      </p>
    </div>
  )
}
