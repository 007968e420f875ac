// Forwards commands to the services that decide them, and their answers back, untouched but for the name of who was first.
import { uuid } from '@headwater/deciders/fields'
import { decideLoanInput, requestLoanInput, withdrawLoanInput } from '@headwater/deciders/loan/loan'
import { loanCommandRules } from '@headwater/deciders/loan/loan-policy'
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access/access'
import { commandHeaders, commandResponses } from '@headwater/http-kit/commands/command'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { z } from 'zod'
import { consentCommands } from './consent/consent-commands.ts'
import { type Answer, answerWith, connectService, registerForwarded } from './forwarding.ts'
import { credentialForLoan } from './loan/access.ts'
import type { Applying } from './loan/applying.ts'
import { named, type People } from './people.ts'

type ServiceName = 'loan' | 'consent'
export type ServiceUrls = Readonly<Record<ServiceName, string>>

/** A command as the gateway knows it: where it goes and how it is described. */
export type ForwardedCommand = {
  readonly url: string
  readonly service: ServiceName
  readonly rules: Rules
  readonly summary: string
  readonly description: string
  readonly body: z.ZodType
  /** Of the allowed credentials, the one to send it with. `id` is the one in the address, if there is one. */
  readonly credential: (allowed: readonly Allowed[], id: string | undefined) => Allowed | undefined
}

const applyUrl = '/api/loans'

const loanCommands: readonly ForwardedCommand[] = [
  {
    url: applyUrl,
    service: 'loan',
    rules: loanCommandRules.RequestLoan,
    summary: 'Request a loan',
    description: 'The credit bureau is asked at once: the loan is approved, denied, or waits for an underwriter.',
    body: requestLoanInput,
    credential: credentialForLoan,
  },
  {
    url: '/api/loans/:id/approve',
    service: 'loan',
    rules: loanCommandRules.ApproveLoan,
    summary: 'Approve a loan',
    description: 'For underwriters, while the loan awaits review.',
    body: decideLoanInput,
    credential: credentialForLoan,
  },
  {
    url: '/api/loans/:id/deny',
    service: 'loan',
    rules: loanCommandRules.DenyLoan,
    summary: 'Deny a loan',
    description: 'For underwriters, while the loan awaits review.',
    body: decideLoanInput,
    credential: credentialForLoan,
  },
  {
    url: '/api/loans/:id/withdraw',
    service: 'loan',
    rules: loanCommandRules.WithdrawLoan,
    summary: 'Withdraw a loan',
    description: 'For whoever requested it, until it is decided.',
    body: withdrawLoanInput,
    credential: credentialForLoan,
  },
]

const commands = [...loanCommands, ...consentCommands]

const idParameter = z.object({ id: uuid })

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

export const registerCommands = async (
  server: HttpServer,
  serviceUrls: ServiceUrls,
  {
    applying,
    people,
    answerTimeoutMs,
  }: {
    readonly applying?: Applying | undefined
    readonly people: Pick<People, 'namesOf'>
    readonly answerTimeoutMs?: number | undefined
  },
): Promise<void> => {
  const connected = {
    loan: connectService('loan', serviceUrls.loan, { answerTimeoutMs }),
    consent: connectService('consent', serviceUrls.consent, { answerTimeoutMs }),
  }
  server.addHook('onClose', async () => {
    await Promise.all(Object.values(connected).map((service) => service.close()))
  })

  await registerForwarded(server, (scope) => {
    for (const { url, service, rules, summary, description, body, credential } of commands) {
      const applies = url === applyUrl
      const params = url.includes(':id') ? { params: idParameter } : {}
      const schema = { tags: [service], summary, description, headers: commandHeaders, body, ...params }
      scope.post(
        url,
        {
          config: { rules },
          onRequest: applies && applying ? applying.begin : [],
          schema: { ...schema, response: commandResponses },
        },
        async (request, reply) => {
          const { id } = request.params as { readonly id?: string }
          const answer = await connected[service].forward(request, credential(request.allowed, id)?.token)
          if (applies && answer.status < 300) await applying?.accepted(request, reply, answer.body)
          return answerWith(reply, await withDeciderName(answer, people))
        },
      )
    }
  })
}
