// A command of a context as the gateway knows it: where it goes, who may send it, and how it is described.
import type { Rules } from '@headwater/deciders/policy'
import type { Allowed } from '@headwater/http-kit/access/access'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { Answer } from './forwarding.ts'

export type ForwardedCommand = {
  readonly url: string
  readonly service: string
  readonly rules: Rules
  readonly summary: string
  readonly description: string
  readonly body: z.ZodType
  /** Of the allowed credentials, the one to send it with. `id` is the one in the address, if there is one. */
  readonly credential: (allowed: readonly Allowed[], id: string | undefined) => Allowed | undefined
  /** Before anything is forwarded. @throws Problem */
  readonly begin?: ((request: FastifyRequest, reply: FastifyReply) => Promise<void>) | undefined
  /** What else is done with the service's answer. @returns the answer to send */
  readonly answered?: ((request: FastifyRequest, reply: FastifyReply, answer: Answer) => Promise<Answer>) | undefined
}
