// Refuses what another site makes a browser send: forms to our pages, and requests that cookies would make somebody's.
import { isUnsafe, refuseForeignOrigin } from '@headwater/http-kit/access/own-origin'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { FastifyRequest } from 'fastify'

/**
 * Whether `Origin` is a page of this site. Where the site is https that is its public address and nothing else; a
 * gateway without TLS is on somebody's own machine, which has several names.
 */
export const isOwnOrigin = (publicUrl: URL, { headers }: Pick<FastifyRequest, 'headers'>): boolean => {
  const origin = headers.origin === undefined ? undefined : URL.parse(headers.origin)
  if (!origin) return false
  if (origin.origin === publicUrl.origin) return true
  return publicUrl.protocol === 'http:' && origin.protocol === 'http:' && origin.host === headers.host
}

/**
 * Every unsafe request is checked, except one to the API that no cookie can make somebody's: it brings a bearer token,
 * which no other site has, or no cookie of ours.
 */
export const registerCsrfProtection = (
  server: HttpServer,
  options: { readonly publicUrl: URL; readonly hasCredentialCookie: (request: FastifyRequest) => boolean },
): void => {
  const { publicUrl, hasCredentialCookie } = options
  const needsNone = (request: FastifyRequest): boolean => {
    const { url, headers } = request
    if (url.startsWith('/api/')) return headers.authorization !== undefined || !hasCredentialCookie(request)
    // Its page hides where it is, as its address is a secret; that secret, and no cookie, is what the form is worth.
    return url.startsWith('/auth/link/') && headers['sec-fetch-site'] === undefined
  }
  server.addHook('onRequest', async (request) => {
    if (isUnsafe(request) && !needsNone(request)) refuseForeignOrigin(request, (asked) => isOwnOrigin(publicUrl, asked))
  })
}
