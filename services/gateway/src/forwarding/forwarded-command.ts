// What the gateway adds to the commands of a context that it forwards.
import type { Allowed } from '@headwater/http-kit/access/access'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer } from './forwarding.ts'

export type Forwarding = {
  /** Of the allowed credentials, the one to send it with; the first unless this says otherwise. `id` is the one in the address, if there is one. */
  readonly credential?: (allowed: readonly Allowed[], id: string | undefined) => Allowed | undefined
  /** Before anything is forwarded. @throws Problem */
  readonly begin?: ((request: FastifyRequest, reply: FastifyReply) => Promise<void>) | undefined
  /** What else is done with the service's answer. @returns the answer to send */
  readonly answered?: ((request: FastifyRequest, reply: FastifyReply, answer: Answer) => Promise<Answer>) | undefined
}

/** By operation id. */
export type Forwardings = Readonly<Record<string, Forwarding>>
