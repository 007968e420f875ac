// Makes a service's routes of the commands that its context's API describes.
import { type ApiCommand, paramsOf } from '@headwater/deciders/api'
import type { Actor } from '@headwater/deciders/policy'
import type { z } from 'zod'
import type { Allowed } from '../access/access.ts'
import type { HttpServer } from '../server/server.ts'
import { traceIdOf } from '../telemetry/telemetry.ts'
import { answerCommand, type CommandAnswer, commandHeaders, commandResponses, expectedRevisionOf } from './command.ts'
import { identify, type RequestIdentity } from './idempotency.ts'

/** A request that may be sent by its actor, with its input checked. */
export type ReceivedCommand<Input> = {
  readonly input: Input
  readonly actor: Actor
  readonly allowed: readonly Allowed[]
  /** The id in the path; of a command that creates something, the id of the new thing. */
  readonly id: string
  readonly expectedRevision: bigint | undefined
  /** What is recorded with each event that the command leads to. */
  readonly origin: Omit<RequestIdentity, 'createdId'> & {
    readonly actor: string
    readonly correlationId: string
    readonly traceparent: string
  }
}

export type CommandHandlers<Commands extends Readonly<Record<string, ApiCommand>>> = {
  readonly [Name in keyof Commands]: (
    received: ReceivedCommand<z.output<Commands[Name]['input']>>,
  ) => Promise<CommandAnswer>
}

export const registerCommands = <Commands extends Readonly<Record<string, ApiCommand>>>(
  server: HttpServer,
  commands: Commands,
  handlers: CommandHandlers<Commands>,
): void => {
  for (const [operationId, { path, summary, rules, input, creates, ...command }] of Object.entries(commands)) {
    const params = paramsOf({ path })
    const handle = handlers[operationId] as (received: ReceivedCommand<unknown>) => Promise<CommandAnswer>
    server.post(
      path,
      {
        config: { rules },
        schema: {
          operationId,
          summary,
          ...(command.description !== undefined && { description: command.description }),
          headers: creates ? commandHeaders.omit({ 'if-match': true }) : commandHeaders,
          body: input,
          ...(params && { params }),
          response: commandResponses,
        },
      },
      async (request, reply) => {
        const { actor, allowed, id: traceparent } = request
        const { createdId, ...identity } = identify(request, actor)
        const { id = createdId } = (request.params ?? {}) as { readonly id?: string }
        const answer = await handle({
          input: request.body,
          actor,
          allowed,
          id,
          expectedRevision: creates ? undefined : expectedRevisionOf(request),
          origin: { ...identity, actor: actor.sub, correlationId: traceIdOf(traceparent), traceparent },
        })
        return answerCommand(reply, answer, creates && `${path}/${answer.id}`)
      },
    )
  }
}
