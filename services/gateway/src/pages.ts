// Passes on to the web service whatever is no address of the gateway's own, and stands in while that service is away.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { publicRoute } from '@headwater/http-kit/access/access'
import type { HttpServer } from '@headwater/http-kit/server/server'
import { Pool } from 'undici'

const connectionsMax = 128
const connectTimeoutMs = 1_000
/** A page waits for the commands it sends, and those for the slowest credit check. */
const answerTimeoutMs = 25_000
const retryAfterSeconds = 2

/** The gateway's own: what is not found there is not looked for elsewhere. */
const own = /^\/(api|live|auth|health)(\/|\?|$)/

/** Between the gateway and one neighbour (RFC 9110, 7.6.1), so never passed on. */
const hopByHop = new Set(['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect'])

const endToEnd = (headers: Readonly<Record<string, string | string[] | undefined>>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

const asset = (name: string) => readFileSync(path.join(import.meta.dirname, '..', 'assets', name))

export const registerPages = async (server: HttpServer, webUrl: string): Promise<void> => {
  const pool = new Pool(new URL(webUrl).origin, {
    connections: connectionsMax,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
  })
  server.addHook('onClose', async () => pool.close())

  const unavailable = asset('unavailable.html')
  const style = asset('unavailable.css')
  server.get('/unavailable.css', { config: publicRoute, schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/css').send(style),
  )

  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)
    scope.all('/*', { config: publicRoute, schema: { hide: true } }, async (request, reply) => {
      if (own.test(request.url)) return reply.callNotFound()
      try {
        const answer = await pool.request({
          method: request.method,
          path: request.url,
          // `host` as the browser sent it: the pages refuse forms that come from another site.
          headers: { ...endToEnd(request.headers), 'x-forwarded-for': request.ip, traceparent: request.id },
          body: request.body instanceof Buffer ? request.body : null,
        })
        return reply.status(answer.statusCode).headers(endToEnd(answer.headers)).send(answer.body)
      } catch (error) {
        request.log.warn({ err: error }, 'the web service does not answer')
        return reply.status(503).header('retry-after', retryAfterSeconds).type('text/html').send(unavailable)
      }
    })
  })
}
