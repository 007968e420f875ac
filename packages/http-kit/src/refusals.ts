// Which refusals are worth writing down: of somebody who is known, for what they asked and not for how they put it.
import type { Actor } from '@headwater/deciders/policy'
import type { FastifyRequest } from 'fastify'
import type { ProblemBody } from './problem.ts'

export type Refusal = {
  readonly actor: Actor
  readonly method: string
  /** With the names of its parameters, not their values. */
  readonly route: string
  /** The id of what the request was about, where its address names one. */
  readonly resource: string | null
  readonly status: number
  readonly code: string
  readonly traceparent: string
}

/** By policy or by a rule. What is malformed (4xx otherwise) is no attempt at anything. */
const refusedStatuses = [403, 409, 412, 429]

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whoever may only see what is theirs is told of everything else that it is not there: also when it is. */
const isHidden = ({ allowed }: FastifyRequest, { status, code, stale }: ProblemBody): boolean =>
  status === 404 &&
  code !== 'not_found' &&
  stale !== true &&
  allowed.every(({ permission }) => permission === 'if owner')

/** The refusal that an answer to a request is, for {@link Refusal}'s readers; undefined when it is none. */
export const refusalOf = (request: FastifyRequest, body: ProblemBody): Refusal | undefined => {
  const { actor, method, params, routeOptions, id: traceparent } = request
  // Before the credentials are looked at nobody is known, and on a server without any nobody ever is.
  if (!actor || actor.kind === 'anonymous' || routeOptions.url === undefined) return undefined
  if (!refusedStatuses.includes(body.status) && !isHidden(request, body)) return undefined
  const { status, code } = body
  // What stands in the place of an id is not always one, and not for anybody's records then.
  const resource = Object.values(params ?? {}).find((value) => typeof value === 'string' && uuid.test(value))
  return { actor, method, route: routeOptions.url, resource: resource ?? null, status, code, traceparent }
}
