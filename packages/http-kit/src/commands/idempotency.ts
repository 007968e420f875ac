// Makes a repeated request recognisable: the same Idempotency-Key from the same actor is the same command.
import { createHmac, randomUUID } from 'node:crypto'
import type { Actor } from '@headwater/deciders/policy'
import type { FastifyRequest } from 'fastify'
import { v5 as uuidV5 } from 'uuid'
import { z } from 'zod'
import { Problem, validationProblem } from './problem.ts'

/** What a request is called, so that every replica gives the same request the same ids. */
export type RequestIdentity = {
  readonly commandId: string
  /** The id of the thing this request creates, if it creates one. */
  readonly createdId: string
  /** A repeat with a key is recognised for a day; a request without one is new. */
  readonly notBefore: Date | 'now'
  /** Differs when another body or another resource comes under a key that was used before. */
  readonly requestHash: string
}

const namespace = '6ca1ae9b-7f4b-5b0f-9d9c-7e6a1c2f4d10'
const repeatableMs = 24 * 60 * 60 * 1_000
const uuid = z.uuid()
const keyText = /^[\x20-\x7e]{1,255}$/

/** JSON with the keys of every object in order, so that equal values have equal texts. */
const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )

const wrongKey = (message: string) => validationProblem([{ field: 'Idempotency-Key', message }])

const keyOf = (request: FastifyRequest, { kind }: Actor): string => {
  const key = request.headers['idempotency-key']
  if (key === undefined && kind === 'partner')
    throw new Problem(422, 'idempotency_key_required', 'Send a new Idempotency-Key with each request that writes.')
  if (key === undefined) return randomUUID()
  if (typeof key !== 'string' || !keyText.test(key)) throw wrongKey('1 to 255 printable ASCII characters')
  // All who are nobody share their ids: who guessed a key would be taken for whom it belongs to.
  if (kind === 'anonymous' && !uuid.safeParse(key).success) throw wrongKey('a uuid, new for each request')
  return key
}

/** @throws Problem 422 when the key is malformed, or missing where the actor needs one */
export const identify = (request: FastifyRequest, actor: Actor): RequestIdentity => {
  const key = keyOf(request, actor)
  const resource = [request.method, request.routeOptions.url, request.params]
  return {
    commandId: uuidV5(canonicalJson([actor.kind, actor.sub, resource, key]), namespace),
    createdId: uuidV5(canonicalJson([actor.kind, actor.sub, key]), namespace),
    // Keyed by what is stored nowhere: nobody can try guesses of personal data against the hash in the store.
    notBefore: request.headers['idempotency-key'] === undefined ? 'now' : new Date(Date.now() - repeatableMs),
    requestHash: createHmac('sha256', key)
      .update(canonicalJson([resource, request.body]))
      .digest('hex'),
  }
}
