// The loan's commands over HTTP: what was sent becomes a command with ids, time and actor added.
import { uuid } from '@headwater/deciders/fields'
import {
  decideLoanInput,
  type LoanCommand,
  loanNotFound,
  requestLoanInput,
  withdrawLoanInput,
} from '@headwater/deciders/loan/loan'
import { loanCommandRules, ownsLoan, requesterOf } from '@headwater/deciders/loan/loan-policy'
import { type LoanState, requestedByOf } from '@headwater/deciders/loan/loan-state'
import type { Actor } from '@headwater/deciders/policy'
import type { CommandAnswer, CommandHandler } from '@headwater/eventstore/commands/handle-command'
import { formatPosition } from '@headwater/eventstore/position'
import type { Allowed } from '@headwater/http-kit/access/access'
import {
  answerCommand,
  commandHeaders,
  commandResponses,
  expectedRevisionOf,
} from '@headwater/http-kit/commands/command'
import { identify } from '@headwater/http-kit/commands/idempotency'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import { z } from 'zod'
import { type Apply, applyMsMaxDefault } from './apply.ts'

type Asked = { readonly id: string; readonly actor: Actor; readonly allowed: readonly Allowed[] }

type OpenLoanInput = z.infer<typeof decideLoanInput> | z.infer<typeof withdrawLoanInput>

/** A command on a loan that was requested before, at `/api/loans/<id>/<name>`. */
type OpenLoanCommand = {
  readonly name: 'approve' | 'deny' | 'withdraw'
  readonly type: 'ApproveLoan' | 'DenyLoan' | 'WithdrawLoan'
  readonly summary: string
  readonly input: typeof decideLoanInput | typeof withdrawLoanInput
  readonly toCommand: (loanId: string, input: OpenLoanInput, actor: Actor) => LoanCommand
}

const toAnswer = ({ id, revision, position }: CommandAnswer) => ({
  id,
  revision: String(revision),
  position: formatPosition(position),
})

export type LoanRoutes = {
  readonly commands: CommandHandler<LoanCommand, LoanState>
  readonly apply: Apply
  readonly applyMsMax?: number | undefined
}

export const registerRoutes = (server: HttpServer, options: LoanRoutes): void => {
  const { commands, apply, applyMsMax = applyMsMaxDefault } = options
  const now = () => new Date().toISOString()
  const originOf = ({ actor, id: traceparent }: Asked) => ({
    actor: actor.sub,
    correlationId: traceIdOf(traceparent),
    traceparent,
  })

  server.post(
    '/api/loans',
    {
      config: { rules: loanCommandRules.RequestLoan },
      schema: {
        operationId: 'requestLoan',
        summary: 'Request a loan',
        headers: commandHeaders.omit({ 'if-match': true }),
        body: requestLoanInput,
        response: commandResponses,
      },
    },
    async (request, reply) => {
      const { body: input, actor } = request
      const giveUpAtMs = performance.now() + applyMsMax
      const { commandId, requestHash, createdId: loanId } = identify(request, actor)
      const requestedBy = requesterOf(actor)
      const origin = originOf(request)
      const answer = await apply({ loanId, input, requestedBy, commandId, requestHash, giveUpAtMs, ...origin })
      return answerCommand(reply, toAnswer(answer), `/api/loans/${loanId}`)
    },
  )

  const decideAs =
    (type: 'ApproveLoan' | 'DenyLoan'): OpenLoanCommand['toCommand'] =>
    (loanId, input, actor) => ({ type, data: { ...input, loanId, decidedBy: actor.sub, at: now() } })

  const openLoanCommands: readonly OpenLoanCommand[] = [
    {
      name: 'approve',
      type: 'ApproveLoan',
      summary: 'Approve a loan that awaits review',
      input: decideLoanInput,
      toCommand: decideAs('ApproveLoan'),
    },
    {
      name: 'deny',
      type: 'DenyLoan',
      summary: 'Deny a loan that awaits review',
      input: decideLoanInput,
      toCommand: decideAs('DenyLoan'),
    },
    {
      name: 'withdraw',
      type: 'WithdrawLoan',
      summary: 'Withdraw a request that is not decided',
      input: withdrawLoanInput,
      toCommand: (loanId, input) => ({ type: 'WithdrawLoan', data: { ...input, loanId, at: now() } }),
    },
  ]

  /** Somebody else's loan is answered as if there were none. */
  const guardOf = ({ actor, allowed }: Asked, loanId: string) =>
    allowed[0]?.permission === 'yes'
      ? undefined
      : (state: LoanState) => {
          if (!ownsLoan(actor, loanId, requestedByOf(state))) throw loanNotFound()
        }

  for (const { name, type, summary, input, toCommand } of openLoanCommands)
    server.post(
      `/api/loans/:id/${name}`,
      {
        config: { rules: loanCommandRules[type] },
        schema: {
          operationId: `${name}Loan`,
          summary,
          params: z.object({ id: uuid }),
          headers: commandHeaders,
          body: input.default({}),
          response: commandResponses,
        },
      },
      async (request, reply) => {
        const { actor, params, body } = request
        const { commandId, requestHash } = identify(request, actor)
        const answer = await commands.handle({
          id: params.id,
          command: toCommand(params.id, body, actor),
          guard: guardOf(request, params.id),
          commandId,
          requestHash,
          expectedRevision: expectedRevisionOf(request),
          ...originOf(request),
        })
        return answerCommand(reply, toAnswer(answer))
      },
    )
}
