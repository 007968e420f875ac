// Forwards commands to the services that decide them, and their answers back, both untouched.
import { decideLoanInput, requestLoanInput, withdrawLoanInput } from '@headwater/deciders/loan/loan'
import { loanCommandRules } from '@headwater/deciders/loan/loan-policy'
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access'
import { commandHeaders, commandResponses } from '@headwater/http-kit/command'
import { Problem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { Pool } from 'undici'
import { z } from 'zod'
import { credentialForLoan } from './auth/loan-access.ts'
import { consentCommands } from './consent-commands.ts'

/** To one service; further requests wait. */
const connectionsMax = 64
const connectTimeoutMs = 1_000
/** Waiting for a connection included. Longer than the slowest command: a credit check and an append that is sent again. */
const answerTimeoutMsDefault = 15_000
const answerBytesMax = 64 * 1_024

type Service = 'loan' | 'consent'
export type ServiceUrls = Readonly<Record<Service, string>>

/** A command as the gateway knows it: where it goes and how it is described. */
export type ForwardedCommand = {
  readonly url: string
  readonly service: Service
  readonly rules: Rules
  readonly summary: string
  readonly description: string
  readonly body: z.ZodType
  /** Of the allowed credentials, the one to send it with. `id` is the one in the address, if there is one. */
  readonly credential: (allowed: readonly Allowed[], id: string | undefined) => Allowed | undefined
}

const loanCommands: readonly ForwardedCommand[] = [
  {
    url: '/api/loans',
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

const forwardedHeaders = ['content-type', 'idempotency-key', 'if-match'] as const
const returnedHeaders = [
  'content-type',
  'etag',
  'headwater-position',
  'location',
  'retry-after',
  'www-authenticate',
] as const

const idParameter = z.object({ id: z.uuid() })

type Headers = Readonly<Record<string, string | string[] | undefined>>

const only = (names: readonly string[], headers: Headers): Record<string, string | string[]> =>
  Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))

const connect = (url: string): Pool =>
  new Pool(new URL(url).origin, {
    connections: connectionsMax,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: answerBytesMax,
  })

type Sent = { readonly path: string; readonly headers: Record<string, string | string[]>; readonly body: Buffer | null }

const forward = async (pool: Pool, { path, headers, body }: Sent, timeoutMs: number) => {
  const answer = await pool.request({ method: 'POST', path, headers, body, signal: AbortSignal.timeout(timeoutMs) })
  return {
    status: answer.statusCode,
    headers: only(returnedHeaders, answer.headers),
    body: Buffer.from(await answer.body.arrayBuffer()),
  }
}

export const registerCommands = async (
  server: HttpServer,
  serviceUrls: ServiceUrls,
  answerTimeoutMs = answerTimeoutMsDefault,
): Promise<void> => {
  const pools = { loan: connect(serviceUrls.loan), consent: connect(serviceUrls.consent) }
  server.addHook('onClose', async () => {
    await Promise.all(Object.values(pools).map((pool) => pool.close()))
  })

  await server.register(async (scope) => {
    // The schemas below are for the API's description; only the service that decides also validates.
    scope.setValidatorCompiler(() => (value: unknown) => ({ value }))
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)

    for (const { url, service, rules, summary, description, body, credential } of commands) {
      const params = url.includes(':id') ? { params: idParameter } : {}
      const schema = { tags: [service], summary, description, headers: commandHeaders, body, ...params }
      scope.post(
        url,
        { config: { rules }, schema: { ...schema, response: commandResponses } },
        async (request, reply) => {
          const id = idParameter.safeParse(request.params).data?.id
          const token = credential(request.allowed, id)?.token
          const sent: Sent = {
            path: request.url,
            headers: {
              ...only(forwardedHeaders, request.headers),
              traceparent: request.id,
              ...(token !== undefined && { authorization: `Bearer ${token}` }),
            },
            body: request.body instanceof Buffer ? request.body : null,
          }
          try {
            const answer = await forward(pools[service], sent, answerTimeoutMs)
            return reply.status(answer.status).headers(answer.headers).send(answer.body)
          } catch (error) {
            request.log.warn({ err: error, service }, 'a command could not be forwarded')
            throw new Problem(
              503,
              'service_unavailable',
              `The ${service} service does not answer. It is safe to repeat this with the same Idempotency-Key.`,
            )
          }
        },
      )
    }
  })
}
