// Serves the pages: what the build made of app/, rendered a request at a time under a content security policy of its own.
import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { fastifyStatic } from '@fastify/static'
import { Problem } from '@headwater/http-kit/commands/problem'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import { formFields } from '@headwater/http-kit/server/utf8'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { createRequestHandler, RouterContextProvider, type ServerBuild } from 'react-router'
import type { PageContextKey } from '../app/page-context.ts'

const dist = path.join(import.meta.dirname, '..', 'dist')
const probeTimeoutMs = 500

/** Scripts run when they carry this answer's nonce, or when such a script loads them; nothing else comes from elsewhere. */
const contentSecurityPolicy = (nonce: string): string =>
  [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'`,
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

/**
 * Where a request is for. Put together, not resolved: an address that begins with two slashes is a path here.
 * @throws Problem 400
 */
const urlOf = ({ url = '/', headers }: IncomingMessage): URL => {
  const found = URL.parse(url.startsWith('/') ? `http://${headers.host || 'localhost'}${url}` : url)
  if (!found) throw new Problem(400, 'bad_request', 'This address cannot be read.')
  return found
}

/** The request as pages know it, with the form that it brought; `gone` aborts once the client has left. */
const toRequest = (incoming: IncomingMessage, form: unknown, gone: AbortSignal): Request => {
  const { method = 'GET', headersDistinct } = incoming
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(headersDistinct))
    for (const value of values) headers.append(name, value)
  return new Request(urlOf(incoming), {
    method,
    headers,
    signal: gone,
    ...(form instanceof URLSearchParams && { body: form }),
  })
}

/** What a browser says of itself, and the gateway of its address; cookies and the rest of it mean something there. */
const saidByBrowser = ['authorization', 'cookie', 'origin', 'sec-fetch-site', 'x-forwarded-for'] as const

const browserHeaders = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    saidByBrowser.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  )

const formType = 'application/x-www-form-urlencoded'
const sendsForm = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(method)

/** The address of the page that a request is for; scripts fetch a page's data at an address beside it. */
const pageAddress = ({ pathname, search }: URL): string => {
  const searchParams = new URLSearchParams(search)
  searchParams.delete('_routes')
  searchParams.delete('index')
  const page = pathname.replace(/\/_(root)?\.data$/, '/').replace(/\.data$/, '')
  return searchParams.size === 0 ? page : `${page}?${searchParams}`
}

export const createWebServer = async (options: {
  readonly gatewayUrl: string
  readonly logger: Logger
}): Promise<HttpServer> => {
  const { gatewayUrl, logger } = options
  const health = createHealth({
    gateway: async () => {
      await fetch(new URL('/health/live', gatewayUrl), { signal: AbortSignal.timeout(probeTimeoutMs) })
      return {}
    },
  })
  const server = await createServer({ title: 'Headwater pages', description: 'What people see.', logger, health })
  const build: ServerBuild = await import(pathToFileURL(path.join(dist, 'server', 'index.js')).href)
  // The build holds a copy of the key of its own; keys are compared by identity.
  const { pageContext } = build.entry.module as unknown as { readonly pageContext: PageContextKey }
  const render = createRequestHandler(build, 'production')

  await server.register(fastifyStatic, {
    root: path.join(dist, 'client', 'assets'),
    prefix: '/assets/',
    index: false,
    // Their names hold a hash of what is in them.
    immutable: true,
    maxAge: '1y',
  })
  await server.register(async (pages) => {
    pages.removeAllContentTypeParsers()
    // The only kind of form that our pages send.
    pages.addContentTypeParser(formType, { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
      formFields(body),
    )
    pages.all('/*', { schema: { hide: true } }, async (request, reply) => {
      if (sendsForm(request.method) && !request.headers['content-type']?.startsWith(formType))
        throw new Problem(415, 'unsupported_media_type', 'Pages take forms and nothing else.')
      const nonce = randomBytes(16).toString('base64')
      const context = new RouterContextProvider()
      context.set(pageContext, {
        nonce,
        gatewayUrl,
        browser: browserHeaders(request.headers),
        setCookie: (cookie) => void reply.header('set-cookie', cookie),
        address: pageAddress(urlOf(request.raw)),
        traceparent: request.id,
        logger: request.log,
      })
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const response = await render(toRequest(request.raw, request.body, gone.signal), context)
      reply.status(response.status).headers(Object.fromEntries(response.headers))
      reply.headers({
        // What a page shows is true for a moment and for its viewer.
        'cache-control': 'no-store',
        'content-security-policy': contentSecurityPolicy(nonce),
        // With `no-referrer` browsers hide where a form comes from, and forms from elsewhere are refused.
        'referrer-policy': 'same-origin',
      })
      return reply.send(response.body ? Readable.fromWeb(response.body) : '')
    })
  })
  return server
}
