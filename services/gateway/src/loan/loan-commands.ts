// What the gateway adds to the commands on loans: a capability for applicants, the name of the underwriter who decided first.
import { z } from 'zod'
import type { Forwarding, Forwardings } from '../forwarding/forwarded-command.ts'
import type { Answer } from '../forwarding/forwarding.ts'
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
export const loanForwardings = (people: Pick<People, 'namesOf'>, applying: Applying | undefined): Forwardings => {
  const decided: Forwarding = {
    credential: credentialForLoan,
    answered: (_request, _reply, answer) => withDeciderName(answer, people),
  }
  return {
    requestLoan: {
      credential: credentialForLoan,
      begin: applying?.begin,
      answered: async (request, reply, answer) => {
        if (answer.status < 300) await applying?.accepted(request, reply, answer.body)
        return answer
      },
    },
    approveLoan: decided,
    denyLoan: decided,
    withdrawLoan: decided,
  }
}
