// Turns every error into the body of an HTTP answer (RFC 9457), telling callers what is theirs to know and nothing else.
import { STATUS_CODES } from 'node:http'
import { Rejection } from '@headwater/deciders/decider'
import { z } from 'zod'

export type FieldError = { readonly field: string; readonly message: string }

/** An error that HTTP itself knows: thrown where a request is refused before or beside the business rules. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly code: string
  readonly extras: Readonly<Record<string, unknown>>

  constructor(status: number, code: string, detail: string, extras: Readonly<Record<string, unknown>> = {}) {
    super(detail)
    this.status = status
    this.code = code
    this.extras = extras
  }
}

export const validationProblem = (errors: readonly FieldError[]): Problem =>
  new Problem(422, 'validation', 'Some of what was sent is not right.', { errors })

/** What OpenAPI says about refused requests. */
export const problemSchema = z
  .looseObject({
    type: z.literal('about:blank'),
    title: z.string().meta({ examples: ['Conflict'] }),
    status: z.int().meta({ examples: [409] }),
    code: z.string().meta({ description: 'Names the reason; stable.', examples: ['loan_not_awaiting_review'] }),
    detail: z.string().meta({ description: 'A plain sentence for people.' }),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })

export type ProblemBody = z.infer<typeof problemSchema>

/** What OpenAPI says about one status of refused requests. */
export const problemAnswer = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})

/** HTTP statuses of rejection codes; what a table does not name is a 409. */
export type RejectionStatuses = Readonly<Record<string, number>>

/** The codes that any command can end with, whatever its context. */
const commandStatuses: RejectionStatuses = {
  revision_mismatch: 412,
  idempotency_key_reused: 422,
  event_store_unavailable: 503,
  unknown_event_type: 503,
  stream_deleted: 404,
  stream_truncated: 503,
  overloaded: 503,
}

const body = (status: number, code: string, detail: string, extras: object = {}): ProblemBody => {
  const standard = { type: 'about:blank' as const, title: STATUS_CODES[status] ?? 'Error', status, code, detail }
  // Twice: first in the order of the keys, and no extra replaces it.
  return { ...standard, ...extras, ...standard }
}

/** `Payload Too Large` -> `payload_too_large`. */
const codeOfStatus = (status: number): string => (STATUS_CODES[status] ?? 'error').toLowerCase().replaceAll(/\W+/g, '_')

/** An error of the HTTP layer itself, such as a body that is too large: its status says whose fault it is. */
const isRefusedByServer = (error: unknown): error is Error & { statusCode: number } =>
  error instanceof Error &&
  'statusCode' in error &&
  typeof error.statusCode === 'number' &&
  error.statusCode >= 400 &&
  error.statusCode < 500

/** What the caller is told about `error`. Anything unforeseen says nothing about its insides. */
export const problem = (error: unknown, statuses: RejectionStatuses): ProblemBody => {
  if (error instanceof Problem) return body(error.status, error.code, error.message, error.extras)
  if (error instanceof Rejection) {
    const status = statuses[error.code] ?? commandStatuses[error.code] ?? 409
    return body(status, error.code, error.message, status < 500 ? error.details : {})
  }
  if (isRefusedByServer(error)) return body(error.statusCode, codeOfStatus(error.statusCode), error.message)
  return body(
    500,
    codeOfStatus(500),
    'Something went wrong here. It is safe to repeat this with the same Idempotency-Key.',
  )
}
