// Sends requests on to a service of ours, as whom they come from, and its answers back, both untouched.
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { refuseOtherThanUtf8 } from '@headwater/http-kit/server/utf8'
import { validatorCompiler } from '@headwater/http-kit/server/validation'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Pool } from 'undici'

/** To one service; further requests wait. */
const connectionsMax = 64
const connectTimeoutMs = 1_000
/** Waiting for a connection included. Longer than the slowest command: a credit check and an append that is sent again. */
const answerTimeoutMsDefault = 15_000
const answerBytesMaxDefault = 64 * 1_024

const forwardedHeaders = ['content-type', 'idempotency-key', 'if-match'] as const
const returnedHeaders = [
  'cache-control',
  'content-type',
  'etag',
  'headwater-position',
  'location',
  'retry-after',
  'www-authenticate',
] as const

type Headers = Readonly<Record<string, string | string[] | undefined>>

const only = (names: readonly string[], headers: Headers): Record<string, string | string[]> =>
  Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Buffer
}

type Service = {
  /**
   * @param token who asks, as the service is told: it checks that itself
   * @param path where it is there, when that is not the path of the request
   * @throws Problem 503 when the service does not answer
   */
  readonly forward: (request: FastifyRequest, token: string | undefined, path?: string) => Promise<Answer>
  readonly close: () => Promise<void>
}

export const answerWith = (reply: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
  reply.status(status).headers(headers).send(body)

export const connectService = (
  name: string,
  url: string,
  { answerTimeoutMs = answerTimeoutMsDefault, answerBytesMax = answerBytesMaxDefault } = {},
): Service => {
  const pool = new Pool(new URL(url).origin, {
    connections: connectionsMax,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: answerBytesMax,
  })
  const ask = async (
    { method, headers, id, body }: FastifyRequest,
    token: string | undefined,
    path: string,
    signal: AbortSignal,
  ) => {
    const { 'content-type': contentType, ...withoutBody } = only(forwardedHeaders, headers)
    const answer = await pool.request({
      method,
      path,
      headers: {
        ...withoutBody,
        ...(body instanceof Buffer && contentType !== undefined && { 'content-type': contentType }),
        traceparent: id,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: body instanceof Buffer ? body : null,
      signal,
    })
    return {
      status: answer.statusCode,
      headers: only(returnedHeaders, answer.headers),
      body: Buffer.from(await answer.body.arrayBuffer()),
    }
  }
  return {
    forward: async (request, token, path = request.url) => {
      // Unlike `AbortSignal.timeout`, it is gone with the answer: no request leaves a timer behind for 15 s.
      const late = new AbortController()
      const timer = setTimeout(() => late.abort(new Error('There was no answer in time.')), answerTimeoutMs)
      try {
        return await ask(request, token, path, late.signal)
      } catch (error) {
        request.log.warn({ err: error, service: name }, 'a request could not be forwarded')
        throw new Problem(
          503,
          'service_unavailable',
          `The ${name} service does not answer. It is safe to repeat this with the same Idempotency-Key.`,
        )
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => pool.close(),
  }
}

/** Registers forwarded routes: their body schemas only describe the API, and the service behind validates. */
export const registerForwarded = async (server: HttpServer, register: (scope: HttpServer) => void): Promise<void> => {
  await server.register(async (scope: HttpServer) => {
    scope.setValidatorCompiler((route) =>
      route.httpPart === 'params' ? validatorCompiler(route as never) : (value: unknown) => ({ value }),
    )
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => {
      refuseOtherThanUtf8(body)
      return body
    })
    register(scope)
  })
}
