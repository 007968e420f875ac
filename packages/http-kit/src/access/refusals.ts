// Which requests are worth writing down: refusals of somebody who is known, and what was done and leads to no event of its own.
import type { Actor } from '@headwater/deciders/policy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ProblemBody } from '../commands/problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Nothing else tells that this was done. */
    leavesNoEvent?: true
    /** The parameter whose values are few and known, each of which is told like a route of its own. */
    about?: string
  }
}

/** What was done, and by whom. */
export type Operation = {
  readonly actor: Actor
  readonly method: string
  /** With the names of its parameters, not their values. */
  readonly route: string
  /** The id of what the request was about, where its address names one, or of what it made. */
  readonly resource: string | null
  readonly traceparent: string
}

export type Refusal = Operation & { readonly status: number; readonly code: string }

/** By policy or by a rule. What is malformed (4xx otherwise) is no attempt at anything. */
const refusedStatuses = [403, 409, 412, 429]

const uuid = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/i
const onlyUuid = new RegExp(`^${uuid.source}$`, uuid.flags)

/** Whoever may only see what is theirs is told of everything else that it is not there: also when it is. */
const isHidden = ({ allowed }: FastifyRequest, { status, code, stale }: ProblemBody): boolean =>
  status === 404 &&
  code !== 'not_found' &&
  stale !== true &&
  allowed.every(({ permission }) => permission === 'if owner')

const operationOf = ({ actor, method, params, routeOptions, id: traceparent }: FastifyRequest): Operation => {
  // What stands in the place of an id is not always one, and not for anybody's records then.
  const resource = Object.values(params ?? {}).find((value) => typeof value === 'string' && onlyUuid.test(value))
  return { actor, method, route: routeOptions.url ?? '', resource: resource?.toLowerCase() ?? null, traceparent }
}

/** The refusal that an answer to a request is, for {@link Refusal}'s readers; undefined when it is none. */
export const refusalOf = (request: FastifyRequest, body: ProblemBody): Refusal | undefined => {
  const { actor, routeOptions } = request
  // Before the credentials are looked at nobody is known, and on a server without any nobody ever is.
  if (!actor || actor.kind === 'anonymous' || routeOptions.url === undefined) return undefined
  if (!refusedStatuses.includes(body.status) && !isHidden(request, body)) return undefined
  const { status, code } = body
  return { ...operationOf(request), status, code }
}

/** What was done, for {@link Operation}'s readers; undefined when it was not, or when something else tells of it. */
export const doneOf = (request: FastifyRequest, reply: FastifyReply): Operation | undefined => {
  if (!request.routeOptions.config.leavesNoEvent || reply.statusCode >= 300) return undefined
  const operation = operationOf(request)
  const [made] = uuid.exec(String(reply.getHeader('location') ?? '')) ?? []
  const { about = '' } = request.routeOptions.config
  const { [about]: name } = request.params as Readonly<Record<string, string>>
  const route = name === undefined ? operation.route : operation.route.replace(`:${about}`, name)
  return { ...operation, route, resource: operation.resource ?? made ?? null }
}
