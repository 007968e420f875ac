// How a command is asked and answered over HTTP: If-Match in; id, revision and position out.
import { field } from '@headwater/deciders/fields'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { problemAnswer, validationProblem } from './problem.ts'

export const commandAnswer = z
  .object({
    id: z.string(),
    revision: z
      .string()
      .meta({ description: 'Place of the last event in its stream; also the ETag.', examples: ['2'] }),
    position: z.string().meta({
      description: 'Place in the order of all events; send it as `after` to queries.',
      examples: ['4711/4711'],
    }),
  })
  .meta({ id: 'CommandAnswer' })

export type CommandAnswer = z.infer<typeof commandAnswer>

/** What OpenAPI says about the answers of a command; one that creates something answers 201. */
export const commandResponses = {
  '2xx': commandAnswer,
  '4xx': problemAnswer('Refused; `code` says why.'),
  '5xx': problemAnswer('Try again.'),
}

/** The headers that every command understands. */
export const commandHeaders = z.looseObject({
  'idempotency-key': field('checked by identify', z.string())
    .optional()
    .meta({ description: 'Makes a repeat the same request. Use a new uuid for each.' }),
  'if-match': field('checked by expectedRevisionOf', z.string())
    .optional()
    .meta({ description: 'The ETag that must still hold.', examples: ['"2"'] }),
})

const etagText = /^"(\d{1,18})"$/

/** The revision that `If-Match` demands. @throws Problem 422 when it is not an ETag of ours */
export const expectedRevisionOf = (request: FastifyRequest): bigint | undefined => {
  const header = request.headers['if-match']
  if (header === undefined) return undefined
  const [, revision] = etagText.exec(header) ?? []
  if (revision === undefined)
    throw validationProblem([{ field: 'If-Match', message: 'one ETag as this API gives it, such as "2"' }])
  return BigInt(revision)
}

/** Sends a command's answer; `location` is the address of what it created, if it created something. */
export const answerCommand = (reply: FastifyReply, answer: CommandAnswer, location?: string): FastifyReply => {
  reply.header('etag', `"${answer.revision}"`).header('headwater-position', answer.position)
  return location === undefined ? reply.send(answer) : reply.status(201).header('location', location).send(answer)
}
