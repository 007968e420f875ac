// Makes a route of a query that a context's API describes.
import { type ApiQuery, paramsOf } from '@headwater/deciders/api'
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { problemAnswer } from '../commands/problem.ts'
import type { HttpServer } from './server.ts'

type Parsed<Schema, Otherwise> = Schema extends z.ZodType ? z.output<Schema> : Otherwise

export type QueryRequest<Query extends ApiQuery> = Omit<FastifyRequest, 'params' | 'query' | 'headers' | 'body'> & {
  readonly params: Parsed<Query['params'], { readonly id: string }>
  readonly query: Parsed<Query['query'], unknown>
  readonly headers: FastifyRequest['headers'] & Parsed<Query['headers'], unknown>
  readonly body: Parsed<Query['body'], unknown>
}

/** What OpenAPI says about a query. */
export const querySchema = (tag: string, query: ApiQuery) => {
  const { summary, description, headers, body, answer, status = 200, mediaType, refusals = {} } = query
  const params = paramsOf(query)
  const refused = Object.entries(refusals).map(([code, meaning]) => [code, problemAnswer(meaning)])
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(params && { params }),
    ...(query.query && { querystring: query.query }),
    ...(headers && { headers }),
    ...(body && { body }),
    response: {
      [status]: mediaType === undefined ? answer : { content: { [mediaType]: { schema: answer } } },
      ...Object.fromEntries(refused),
    },
  }
}

/**
 * @param handle gives the answer, or sends it by the reply
 * @param config of the route, besides its rules
 */
export const registerQuery = <const Query extends ApiQuery>(
  server: HttpServer,
  tag: string,
  query: Query,
  handle: (request: QueryRequest<Query>, reply: FastifyReply) => Promise<z.input<Query['answer']> | FastifyReply>,
  config: Omit<FastifyContextConfig, 'rules'> = {},
): void => {
  server.route({
    method: query.method ?? 'GET',
    url: query.path,
    config: { ...config, rules: query.rules },
    schema: querySchema(tag, query),
    handler: (request, reply) => handle(request as unknown as QueryRequest<Query>, reply as unknown as FastifyReply),
  })
}
