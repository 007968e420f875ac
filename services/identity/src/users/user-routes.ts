// What operators may do about users, over the API.
import { uuid } from '@headwater/deciders/fields'
import { userCommandRules } from '@headwater/deciders/identity/identity-policy'
import { formatPosition } from '@headwater/eventstore/position'
import { answerCommand, commandResponses } from '@headwater/http-kit/commands/command'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { traceIdOf } from '@headwater/http-kit/telemetry/telemetry'
import { z } from 'zod'
import type { Ready } from '../ready.ts'

/** @param ready throws Problem 503 until the issuer is ready */
export const registerUserRoutes = (server: HttpServer, ready: () => Ready): void => {
  server.post(
    '/api/users/:id/disable',
    {
      config: { rules: userCommandRules.DisableUser },
      schema: {
        operationId: 'disableUser',
        summary: 'Close a user’s account: they are signed out everywhere and cannot sign in again',
        params: z.object({ id: uuid }),
        response: commandResponses,
      },
    },
    async (request, reply) => {
      const { users, records } = ready()
      const { id: userId } = request.params
      const traceparent = request.id
      const origin = { actor: request.actor.sub, traceparent, correlationId: traceIdOf(traceparent) }
      const { id, revision, position } = await users.disable(userId, origin)
      await records.endSessionsOf(userId)
      return answerCommand(reply, { id, revision: String(revision), position: formatPosition(position) })
    },
  )
}
