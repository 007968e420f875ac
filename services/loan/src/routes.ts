// The loan's commands over HTTP: what was sent becomes a command with ids, time and actor added.
import { loanApi } from '@headwater/deciders/loan/api'
import { type LoanCommand, loanNotFound } from '@headwater/deciders/loan/loan'
import { ownsLoan, requesterOf } from '@headwater/deciders/loan/loan-policy'
import { type LoanState, requestedByOf } from '@headwater/deciders/loan/loan-state'
import { answerInText } from '@headwater/eventstore/commands/command-request'
import type { CommandHandler } from '@headwater/eventstore/commands/handle-command'
import { type ReceivedCommand, registerCommands } from '@headwater/http-kit/commands/register-commands'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { type Apply, applyMsMaxDefault } from './apply.ts'

export type LoanRoutes = {
  readonly commands: CommandHandler<LoanCommand, LoanState>
  readonly apply: Apply
  readonly applyMsMax?: number | undefined
}

const now = () => new Date().toISOString()

/** Another person's loan is answered as if there were none. */
const guardOf = ({ actor, allowed, id }: ReceivedCommand<unknown>) =>
  allowed[0]?.permission === 'yes'
    ? undefined
    : (state: LoanState) => {
        if (!ownsLoan(actor, id, requestedByOf(state))) throw loanNotFound()
      }

export const registerRoutes = (server: HttpServer, options: LoanRoutes): void => {
  const { commands, apply, applyMsMax = applyMsMaxDefault } = options

  /** For a loan that was requested before. */
  const send =
    <Input>(toCommand: (received: ReceivedCommand<Input>) => LoanCommand) =>
    async (received: ReceivedCommand<Input>) => {
      const { id, expectedRevision, origin } = received
      const command = toCommand(received)
      return answerInText(await commands.handle({ ...origin, id, command, guard: guardOf(received), expectedRevision }))
    }
  const decide = (type: 'ApproveLoan' | 'DenyLoan') =>
    send<{ readonly reason?: string | undefined }>(({ id, input, actor }) => ({
      type,
      data: { ...input, loanId: id, decidedBy: actor.sub, at: now() },
    }))

  registerCommands(server, loanApi.commands, {
    requestLoan: async ({ id, input, actor, origin }) => {
      const deadlineMs = performance.now() + applyMsMax
      return answerInText(await apply({ ...origin, loanId: id, input, requestedBy: requesterOf(actor), deadlineMs }))
    },
    approveLoan: decide('ApproveLoan'),
    denyLoan: decide('DenyLoan'),
    withdrawLoan: send(({ id, input }) => ({ type: 'WithdrawLoan', data: { ...input, loanId: id, at: now() } })),
  })
}
