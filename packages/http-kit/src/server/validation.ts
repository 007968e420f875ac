// Parses what a request brings with the route's zod schemas and says by field what is wrong.
import { freeText } from '@headwater/deciders/free-text'
import type { FastifySchemaCompiler, RouteOptions } from 'fastify'
import { z } from 'zod'
import { type FieldError, Problem, validationProblem } from '../commands/problem.ts'

/** Fields by the path that a form or a client would use; unknown fields each by their own name. */
export const fieldErrors = (error: z.ZodError): FieldError[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ field: [...issue.path, key].join('.'), message: 'is not a field of this request' }))
      : [{ field: issue.path.join('.'), message: issue.message }],
  )

/** @throws Error when a route takes text without a shared field schema: such text could stop readers of the events. */
export const refuseFreeText = ({ url, schema = {} }: RouteOptions): void => {
  const { body, querystring, params, headers } = schema
  // Only named headers: requests bring many others.
  const named = headers instanceof z.ZodObject ? z.object(headers.shape) : headers
  const free = [body, querystring, params, named].flatMap((part) => (part instanceof z.ZodType ? freeText(part) : []))
  if (free.length > 0) throw new Error(`${url} takes any text as ${free.join(', ')}: use the schemas of fields.ts.`)
}

const missing: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_type' && issue.input === undefined ? 'is missing' : undefined

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (value: unknown) => {
    // Fastify gives null where there is no body.
    const result = schema.safeParse(value ?? undefined, { error: missing })
    if (result.success) return { value: result.data }
    // A path with an impossible id names nothing.
    if (httpPart === 'params') return { error: new Problem(404, 'not_found', 'There is nothing at this address.') }
    return { error: validationProblem(fieldErrors(result.error)) }
  }
