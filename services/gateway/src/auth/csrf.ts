// Refuses what another site makes a browser send: forms to our pages, and requests that cookies would make somebody's.
import { Problem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import type { FastifyRequest } from 'fastify'

const safeMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
/** `none` is the person's own doing, such as sending a form again after a reload. */
const ownFetchSites: readonly unknown[] = ['same-origin', 'none']

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

/** Browsers say where a request is from and pages cannot change what they say; whatever says nothing is refused. */
const isFromOwnPage = (publicUrl: URL, request: Pick<FastifyRequest, 'headers'>): boolean => {
  const site = request.headers['sec-fetch-site']
  return site === undefined ? isOwnOrigin(publicUrl, request) : ownFetchSites.includes(site)
}

const foreignOrigin = (): Problem =>
  new Problem(403, 'foreign_origin', 'This came from a page of another site, or does not say from which.')

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
    if (safeMethods.includes(request.method) || needsNone(request)) return
    if (!isFromOwnPage(publicUrl, request)) throw foreignOrigin()
  })
}
