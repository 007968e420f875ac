// Puts the issuer's library, which speaks plain node:http, among the routes of the server.
import type { IncomingMessage } from 'node:http'
import { publicRoute } from '@headwater/http-kit/access/access'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type Provider from 'oidc-provider'

/** The request as it came to the issuer's one public address, whatever name or proxy led here: the library makes URLs of it. */
export const atIssuer = (raw: IncomingMessage, issuer: string): IncomingMessage => {
  const { protocol, host } = new URL(issuer)
  raw.headers['x-forwarded-proto'] = protocol.slice(0, -1)
  raw.headers['x-forwarded-host'] = host
  return raw
}

export type MountOptions = {
  /** @throws Problem 503 until the issuer is ready */
  readonly provider: () => Provider
  readonly issuer: string
  /** What the library's own pages may load. */
  readonly contentSecurityPolicy: string
}

export const mountIssuer = async (
  server: HttpServer,
  { provider, issuer, contentSecurityPolicy }: MountOptions,
): Promise<void> =>
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    // The library reads bodies itself, with a limit of its own.
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const url of ['/.well-known/openid-configuration', '/oidc/*'])
      scope.all(url, { schema: { hide: true }, config: publicRoute }, async (request, reply) => {
        const handle = provider().callback()
        reply.header('content-security-policy', contentSecurityPolicy).header('referrer-policy', 'same-origin')
        for (const [name, value] of Object.entries(reply.getHeaders()))
          if (value !== undefined) reply.raw.setHeader(name, value)
        reply.hijack()
        await handle(atIssuer(request.raw, issuer), reply.raw)
      })
  })
