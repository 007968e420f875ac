// The commands on loans as the gateway forwards them, and what it adds: a link for applicants, the name of who decided first.
import { decideLoanInput, requestLoanInput, withdrawLoanInput } from '@headwater/deciders/loan/loan'
import { loanCommandRules } from '@headwater/deciders/loan/loan-policy'
import { z } from 'zod'
import type { ForwardedCommand } from '../forwarded-command.ts'
import type { Answer } from '../forwarding.ts'
import { named, type People } from '../people.ts'
import { credentialForLoan } from './access.ts'
import type { Applying } from './applying.ts'

const decidedMeanwhile = z.looseObject({ code: z.literal('loan_not_awaiting_review'), decidedBy: z.string() })

/** Whoever comes too late to decide is told who was first, by name where that is known. */
const withDeciderName = async (answer: Answer, people: Pick<People, 'namesOf'>): Promise<Answer> => {
  if (answer.status !== 409 || !String(answer.headers['content-type']).includes('json')) return answer
  const problem = decidedMeanwhile.safeParse(JSON.parse(answer.body.toString())).data
  if (!problem) return answer
  const names = await people.namesOf([problem.decidedBy])
  const body = { ...problem, ...named(names, 'decidedByName', problem.decidedBy) }
  return { ...answer, body: Buffer.from(JSON.stringify(body)) }
}

/** @param applying limits, and lets in, applicants without an account */
export const loanCommands = (
  people: Pick<People, 'namesOf'>,
  applying: Applying | undefined,
): readonly ForwardedCommand[] => [
  {
    url: '/api/loans',
    service: 'loan',
    rules: loanCommandRules.RequestLoan,
    summary: 'Request a loan',
    description: 'The credit bureau is asked at once: the loan is approved, denied, or waits for an underwriter.',
    body: requestLoanInput,
    credential: credentialForLoan,
    begin: applying?.begin,
    answered: async (request, reply, answer) => {
      if (answer.status < 300) await applying?.accepted(request, reply, answer.body)
      return answer
    },
  },
  {
    url: '/api/loans/:id/approve',
    service: 'loan',
    rules: loanCommandRules.ApproveLoan,
    summary: 'Approve a loan',
    description: 'For underwriters, while the loan awaits review.',
    body: decideLoanInput,
    credential: credentialForLoan,
    answered: (_request, _reply, answer) => withDeciderName(answer, people),
  },
  {
    url: '/api/loans/:id/deny',
    service: 'loan',
    rules: loanCommandRules.DenyLoan,
    summary: 'Deny a loan',
    description: 'For underwriters, while the loan awaits review.',
    body: decideLoanInput,
    credential: credentialForLoan,
    answered: (_request, _reply, answer) => withDeciderName(answer, people),
  },
  {
    url: '/api/loans/:id/withdraw',
    service: 'loan',
    rules: loanCommandRules.WithdrawLoan,
    summary: 'Withdraw a loan',
    description: 'For whoever requested it, until it is decided.',
    body: withdrawLoanInput,
    credential: credentialForLoan,
    answered: (_request, _reply, answer) => withDeciderName(answer, people),
  },
]
