// The loan's commands over HTTP: what was sent becomes a command with ids, time and actor added.
import { decideLoanInput, type LoanCommand, requestLoanInput, withdrawLoanInput } from '@headwater/deciders/loan/loan'
import type { RequestedBy } from '@headwater/deciders/loan/loan-events'
import type { Actor } from '@headwater/deciders/policy'
import type { CommandAnswer, CommandHandler } from '@headwater/eventstore/handle-command'
import { formatPosition } from '@headwater/eventstore/position'
import { answerCommand, commandHeaders, commandResponses, expectedRevisionOf } from '@headwater/http-kit/command'
import { requireRole } from '@headwater/http-kit/development-actor'
import { identify } from '@headwater/http-kit/idempotency'
import type { HttpServer } from '@headwater/http-kit/server'
import { traceIdOf } from '@headwater/http-kit/telemetry'
import { z } from 'zod'
import type { Apply } from './apply.ts'

/** Until people sign in, nobody knows who applies. */
const requestedBy: RequestedBy = { kind: 'anonymous', id: 'anonymous' }

type OpenLoanInput = z.infer<typeof decideLoanInput> | z.infer<typeof withdrawLoanInput>

/** A command on a loan that was requested before, at `/api/loans/<id>/<name>`. */
type OpenLoanCommand = {
  readonly name: 'approve' | 'deny' | 'withdraw'
  readonly summary: string
  readonly input: typeof decideLoanInput | typeof withdrawLoanInput
  readonly mayBeSentBy: 'underwriters' | 'anybody'
  readonly toCommand: (loanId: string, input: OpenLoanInput) => LoanCommand
}

const toAnswer = ({ id, revision, position }: CommandAnswer) => ({
  id,
  revision: String(revision),
  position: formatPosition(position),
})

export type LoanRoutes = {
  readonly commands: CommandHandler<LoanCommand>
  readonly apply: Apply
  readonly actor: Actor
}

export const registerRoutes = (server: HttpServer, { commands, apply, actor }: LoanRoutes): void => {
  const now = () => new Date().toISOString()
  const originOf = (traceparent: string) => ({
    actor: actor.sub,
    correlationId: traceIdOf(traceparent),
    traceparent,
  })

  server.post(
    '/api/loans',
    {
      schema: {
        operationId: 'requestLoan',
        summary: 'Request a loan',
        headers: commandHeaders.omit({ 'if-match': true }),
        body: requestLoanInput,
        response: commandResponses,
      },
    },
    async (request, reply) => {
      const { body: input, id: traceparent } = request
      const { commandId, requestHash, createdId: loanId, mayBeRepeat } = identify(request, actor)

      // A repeat is answered from what is recorded, also while the bureau is down.
      const earlier = mayBeRepeat ? await commands.recorded({ id: loanId, commandId, requestHash }) : undefined
      const application = { loanId, input, requestedBy, commandId, requestHash, ...originOf(traceparent) }
      return answerCommand(reply, toAnswer(earlier ?? (await apply(application))), `/api/loans/${loanId}`)
    },
  )

  const decideAs =
    (type: 'ApproveLoan' | 'DenyLoan'): OpenLoanCommand['toCommand'] =>
    (loanId, input) => ({ type, data: { ...input, loanId, decidedBy: actor.sub, at: now() } })

  const openLoanCommands: readonly OpenLoanCommand[] = [
    {
      name: 'approve',
      summary: 'Approve a loan that awaits review',
      input: decideLoanInput,
      mayBeSentBy: 'underwriters',
      toCommand: decideAs('ApproveLoan'),
    },
    {
      name: 'deny',
      summary: 'Deny a loan that awaits review',
      input: decideLoanInput,
      mayBeSentBy: 'underwriters',
      toCommand: decideAs('DenyLoan'),
    },
    {
      name: 'withdraw',
      summary: 'Withdraw a request that is not decided',
      input: withdrawLoanInput,
      mayBeSentBy: 'anybody',
      toCommand: (loanId, input) => ({ type: 'WithdrawLoan', data: { ...input, loanId, at: now() } }),
    },
  ]

  for (const { name, summary, input, mayBeSentBy, toCommand } of openLoanCommands)
    server.post(
      `/api/loans/:id/${name}`,
      {
        // Before the body is looked at: who may not do this at all need not know what is wrong with it.
        onRequest: async () => {
          if (mayBeSentBy === 'underwriters') requireRole(actor, 'underwriter')
        },
        schema: {
          operationId: `${name}Loan`,
          summary,
          params: z.object({ id: z.uuid() }),
          headers: commandHeaders,
          body: input.default({}),
          response: commandResponses,
        },
      },
      async (request, reply) => {
        const { commandId, requestHash } = identify(request, actor)
        const answer = await commands.handle({
          id: request.params.id,
          command: toCommand(request.params.id, request.body),
          commandId,
          requestHash,
          expectedRevision: expectedRevisionOf(request),
          ...originOf(request.id),
        })
        return answerCommand(reply, toAnswer(answer))
      },
    )
}
