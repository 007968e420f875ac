// Applying for a loan at the front door: not too often from one address, and what an applicant without an account is given.
import { Problem } from '@headwater/http-kit/commands/problem'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Capabilities } from '../auth/capabilities.ts'
import type { ApplyLimit } from '../auth/limits.ts'

const accepted = z.object({ id: z.uuid() })

export type Applying = {
  /** Before anything is asked. @throws Problem 429 */
  readonly begin: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** With the answer of the service that took the application, also when it had it already. */
  readonly accepted: (request: FastifyRequest, reply: FastifyReply, answer: Buffer) => Promise<void>
}

export const createApplying = (limit: ApplyLimit, capabilities: Capabilities): Applying => ({
  begin: async ({ actor, ip }, reply) => {
    // Partners have a limit of their own.
    if (actor.kind === 'partner') return
    const waitSeconds = await limit.count(ip)
    if (waitSeconds === 0) return
    reply.header('retry-after', waitSeconds)
    throw new Problem(429, 'too_many_applications', 'Too many applications came from where you are. Try again later.')
  },
  accepted: async (request, reply, answer) => {
    if (request.actor.kind !== 'anonymous') return
    await capabilities.grant(request, reply, accepted.parse(JSON.parse(answer.toString())).id)
  },
})
