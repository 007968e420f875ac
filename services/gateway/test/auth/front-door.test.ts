// The whole gateway with people in browsers: forms from elsewhere, applying without an account, sockets that end with a session.
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuthenticator } from '@headwater/http-kit/access/auth'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { freePort } from '@headwater/test-kit/free-port'
import { until } from '@headwater/test-kit/system'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { createGatewayAuth } from '../../src/auth/auth.ts'
import { newLoan, startEdge, startGateway } from '../support.ts'
import { fetched, openBrowser, ownPage, parseSettings, startIssuerAndDatabase } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const json = { ...fetched, 'content-type': 'application/json' }

/** What stands behind the gateway: takes every application, and says what reached it. */
const startLoanService = async () => {
  const reached: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
  const answer: { status: number; id: string } = { status: 201, id: randomUUID() }
  const service = createServer((request, response) => {
    reached.push({ path: request.url ?? '', headers: request.headers })
    request.resume()
    const body = JSON.stringify({ id: answer.id, revision: '0', position: '1/1' })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => {
    service.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    service.closeAllConnections()
    service.close()
  })
  return { reached, answer, url: `http://127.0.0.1:${(service.address() as AddressInfo).port}` }
}

type Options = { readonly env?: Record<string, string>; readonly limits?: object }

const startSite = async ({ env = {}, limits = {} }: Options = {}) => {
  const { issuer, database, env: shared } = await startIssuerAndDatabase()
  const service = await startLoanService()
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const addGateway = async (publicUrl?: string) => {
    const port = await freePort()
    const settings = parseSettings({ PUBLIC_URL: publicUrl ?? `http://127.0.0.1:${port}`, ...shared, ...env })
    const authenticator = createAuthenticator(settings, logger)
    const auth = createGatewayAuth(settings, { authenticator, knowsEmail: async () => undefined, logger })
    const gateway = await startGateway(edge.directory, {
      as: null,
      port,
      databaseUrl: database.url,
      serviceUrls: { loan: service.url },
      webUrl: service.url,
      authenticator,
      auth,
      liveLimits: limits,
      trustedProxies: 'loopback',
    })
    onTestFinished(async () => {
      await gateway.close()
      await auth.close()
    })
    return gateway
  }
  const gateway = await addGateway()
  return { issuer, database, service, edge, gateway, addGateway, browser: openBrowser(gateway.url) }
}

type Browser = ReturnType<typeof openBrowser>

/** A socket with the browser's cookies; what the server said instead, where there is none. */
const openSocket = (liveUrl: string, browser: Browser, headers: Record<string, string> = {}) => {
  const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const socket = new WebSocket(liveUrl, { headers: { ...(cookie !== '' && { cookie }), ...headers } })
  onTestFinished(() => socket.terminate())
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  return new Promise<{ socket: WebSocket; closed: Promise<number> } | { refused: number | undefined }>((resolve) => {
    socket.once('open', () => resolve({ socket, closed }))
    socket.once('error', () => undefined)
    socket.once('unexpected-response', (_request, response) => resolve({ refused: response.statusCode }))
  })
}

const opened = async (...asked: Parameters<typeof openSocket>) => {
  const outcome = await openSocket(...asked)
  if ('refused' in outcome) throw new Error(`refused with ${outcome.refused}`)
  return outcome
}

const unsafe = [
  '/api/loans',
  `/api/loans/${randomUUID()}/approve`,
  `/api/loans/${randomUUID()}/deny`,
  `/api/loans/${randomUUID()}/withdraw`,
  `/api/loans/${randomUUID()}/link`,
  '/auth/sign-out',
  '/apply/1',
  '/underwriting/loans/1.data',
]

describe('what another site makes a browser send', () => {
  test('is refused on every unsafe route, and reaches nothing', async () => {
    const { gateway, browser, service, issuer } = await startSite()
    await browser.signIn()
    const held = randomUUID()
    browser.jar.set(`headwater_loan_${held}`, await issuer.capabilityOf(held))
    const description = (await (await browser.get('/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>
    }
    const described = Object.entries(description.paths)
      .filter(([, methods]) => Object.keys(methods).some((method) => method !== 'get'))
      .map(([path]) => path.replace('{id}', randomUUID()))
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', origin: gateway.url },
      { 'sec-fetch-site': 'nonsense' },
      { origin: 'https://evil.test' },
      { origin: 'null' },
      { origin: gateway.url.replace('http:', 'https:') },
      {},
    ]
    for (const path of new Set([...unsafe, ...described]))
      for (const headers of foreign)
        for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
          const answer = await browser.post(path, { ...headers, 'content-type': type })
          expect([path, headers, answer.status]).toEqual([path, headers, 403])
        }
    expect(service.reached).toEqual([])
    expect(described.length).toBeGreaterThanOrEqual(5)
  })

  test('is distinguished from what our own pages send, also in browsers that do not say from where', async () => {
    const { gateway, browser, service } = await startSite()
    await browser.signIn()
    const own: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
      { origin: gateway.url },
    ]
    for (const headers of own) expect((await browser.post('/api/loans', headers)).status).toBe(201)
    expect(service.reached).toHaveLength(3)
  })

  test('is no matter of who brings a token, or nothing', async () => {
    const { gateway, issuer, service } = await startSite()
    const authorization = `Bearer ${await issuer.tokenOf({ sub: 'alice' })}`
    const post = (headers: Record<string, string>) =>
      fetch(`${gateway.url}/api/loans`, { method: 'POST', headers: { 'sec-fetch-site': 'cross-site', ...headers } })
    expect((await post({ authorization })).status).toBe(201)
    expect((await post({})).status).toBe(201)
    expect(service.reached).toHaveLength(2)
  })
})

describe('applying without an account', () => {
  test('leaves the browser what follows and withdraws that loan, and no other', async () => {
    const { browser, service, edge, gateway } = await startSite()
    const [own, other] = [newLoan(), newLoan()]
    await edge.write(own, other)
    service.answer.id = own.loanId
    expect((await browser.get(`/api/loans/${own.loanId}`)).status).toBe(401)
    expect((await browser.post('/api/loans', json)).status).toBe(201)
    expect(service.reached[0]?.headers.authorization).toBeUndefined()
    expect((await browser.get(`/api/loans/${own.loanId}`)).status).toBe(200)
    expect((await browser.get(`/api/loans/${other.loanId}`)).status).toBe(404)
    expect(await browser.me()).toMatchObject({ signedIn: false, loans: [own.loanId] })
    expect((await browser.post(`/api/loans/${own.loanId}/withdraw`, json)).status).toBe(201)
    const [, withdrawn] = service.reached
    expect(withdrawn?.headers.authorization).toMatch(/^Bearer ey/)
    expect(withdrawn?.headers.cookie).toBeUndefined()
    expect((await browser.post(`/api/loans/${other.loanId}/withdraw`, json)).status).toBe(404)
    expect(service.reached).toHaveLength(2)
    const stranger = openBrowser(gateway.url)
    expect((await stranger.get(`/api/loans/${own.loanId}`)).status).toBe(401)
  })

  test('gives it again when the answer was lost and the same is sent again', async () => {
    const { browser, service } = await startSite()
    service.answer.status = 200
    await browser.post('/api/loans', json)
    expect(await browser.me()).toMatchObject({ loans: [service.answer.id] })
  })

  test('that is refused leaves nothing, and so does that of a person or of a token', async () => {
    const { browser, service, issuer, gateway } = await startSite()
    service.answer.status = 409
    await browser.post('/api/loans', json)
    service.answer.status = 201
    const authorization = `Bearer ${await issuer.tokenOf({ sub: 'alice' })}`
    const answer = await fetch(`${gateway.url}/api/loans`, { method: 'POST', headers: { authorization } })
    expect(answer.headers.getSetCookie()).toEqual([])
    await browser.signIn()
    await browser.post('/api/loans', json)
    expect(service.reached.at(-1)?.headers.authorization).toMatch(/^Bearer ey/)
    expect(await browser.me()).toMatchObject({ signedIn: true, loans: [] })
  })

  test('is counted by address, before anything is asked; only a trusted proxy says another address', async () => {
    const { gateway, service } = await startSite({ env: { APPLY_LIMIT_PER_HOUR: '2' } })
    const apply = (headers: Record<string, string> = {}) =>
      fetch(`${gateway.url}/api/loans`, { method: 'POST', headers })
    for (let n = 0; n < 2; n++) expect((await apply()).status).toBe(201)
    const refused = await apply()
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ code: 'too_many_applications' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(60)
    expect(service.reached).toHaveLength(2)
    // Two addresses share a counter by a chance of one in tens of thousands.
    const others = await Promise.all(
      ['192.0.2.7', '192.0.2.8'].map((one) => apply({ 'x-forwarded-for': `203.0.113.9, ${one}` })),
    )
    expect(others.map(({ status }) => status)).toContain(201)
    // What the client wrote itself, before the proxy wrote what it saw, counts for nothing.
    for (let n = 0; n < 4; n++) await apply({ 'x-forwarded-for': `203.0.113.${n}, 198.51.100.1` })
    expect((await apply({ 'x-forwarded-for': '203.0.113.77, 198.51.100.1' })).status).toBe(429)
  })
})

describe('a live socket', () => {
  test('closes when its session ends on another gateway, and no other connection does', async () => {
    const { browser, gateway, addGateway, issuer } = await startSite()
    const second = await addGateway(gateway.url)
    await browser.signIn()
    issuer.is({ sub: 'otto', roles: ['operator'] })
    const other = openBrowser(gateway.url)
    await other.signIn()
    const [one, two, others] = [
      await opened(second.liveUrl, browser),
      await opened(gateway.liveUrl, browser),
      await opened(second.liveUrl, other),
    ]
    expect((await browser.post('/auth/sign-out', ownPage)).status).toBe(200)
    expect(await one.closed).toBe(4401)
    expect(await two.closed).toBe(4401)
    expect(others.socket.readyState).toBe(WebSocket.OPEN)
  })

  test('closes when its session expires, which no message announces', async () => {
    const { browser, gateway, database } = await startSite()
    await browser.signIn()
    const { closed } = await opened(gateway.liveUrl, browser)
    await database.client.query(`update headwater.sessions set seen_at = now() - interval '1 day'`)
    expect(await closed).toBe(4401)
  })

  test('closes when the issuer knows the person no more, though nothing is asked; others are renewed', async () => {
    const { browser, gateway, database, issuer } = await startSite()
    await browser.signIn()
    const { socket, closed } = await opened(gateway.liveUrl, browser)
    const endTokens = () =>
      database.client.query('update headwater.sessions set refresh_at = now(), token_expires_at = now()')
    await endTokens()
    await until('the session is renewed', async () => {
      const { rows } = await database.client.query('select from headwater.sessions where token_expires_at > now()')
      return rows.length === 1
    })
    expect(socket.readyState).toBe(WebSocket.OPEN)
    issuer.manner.refreshes = false
    await endTokens()
    expect(await closed).toBe(4401)
  })

  test('stays while Postgres is away, and closes when it ended meanwhile', async () => {
    const { browser, gateway, database } = await startSite()
    await browser.signIn()
    const { socket, closed } = await opened(gateway.liveUrl, browser)
    const restore = await database.interrupt()
    expect((await browser.get('/api/underwriting/queue')).status).toBe(503)
    expect(socket.readyState).toBe(WebSocket.OPEN)
    await database.client.query('delete from headwater.sessions')
    await restore()
    expect(await closed).toBe(4401)
  })

  test('is opened by our own pages only', async () => {
    const { browser, gateway } = await startSite()
    await browser.signIn()
    for (const origin of ['https://evil.test', 'null', 'file://', gateway.url.replace('http:', 'https:')])
      expect(await openSocket(gateway.liveUrl, browser, { origin })).toEqual({ refused: 403 })
    await opened(gateway.liveUrl, browser, { origin: gateway.url })
  })

  test('over TLS is opened by pages of the public address only', async () => {
    const { browser, gateway } = await startSite({ env: { PUBLIC_URL: 'https://headwater.example' } })
    expect(await openSocket(gateway.liveUrl, browser, { origin: gateway.url })).toEqual({ refused: 403 })
    await opened(gateway.liveUrl, browser, { origin: 'https://headwater.example' })
  })

  test('is one of so many of a person, and of an address, until one closes', async () => {
    const limits = { socketsPerPersonMax: 2, socketsPerAddressMax: 3 }
    const { browser, gateway, issuer } = await startSite({ limits })
    await browser.signIn()
    const first = await opened(gateway.liveUrl, browser)
    await opened(gateway.liveUrl, browser, { 'x-forwarded-for': '192.0.2.1' })
    expect(await openSocket(gateway.liveUrl, browser, { 'x-forwarded-for': '192.0.2.2' })).toEqual({ refused: 429 })
    issuer.is({ sub: 'otto', roles: ['operator'] })
    const other = openBrowser(gateway.url)
    await other.signIn()
    await opened(gateway.liveUrl, other)
    await opened(gateway.liveUrl, openBrowser(gateway.url))
    expect(await openSocket(gateway.liveUrl, openBrowser(gateway.url))).toEqual({ refused: 429 })
    first.socket.close()
    await first.closed
    // The place is given back when the connection is gone on the other side as well.
    for (;;) {
      const again = await openSocket(gateway.liveUrl, browser)
      if ('socket' in again) break
      expect(again).toEqual({ refused: 429 })
    }
  })
})

test('what it answers itself carries the headers that browsers guard by', async () => {
  const { browser, service } = await startSite()
  for (const path of [
    '/api/loans',
    '/auth/me',
    '/auth/sign-in',
    '/auth/callback',
    '/auth/link/x',
    '/api/nowhere',
    '/openapi.json',
  ]) {
    const { headers } = await browser.get(path)
    expect([path, headers.get('content-security-policy')]).toEqual([
      path,
      expect.stringContaining("default-src 'none'"),
    ])
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('strict-transport-security')).toMatch(/max-age=\d{8}/)
  }
  for (const path of ['/auth/me', '/auth/sign-in', '/auth/callback', '/auth/link/x'])
    expect([path, (await browser.get(path)).headers.get('cache-control')]).toEqual([path, 'no-store'])
  expect(service.reached).toEqual([])
})

test('pages get the address that a trusted proxy saw, not the one that a browser claims', async () => {
  const { browser, service } = await startSite()
  await browser.get('/apply', { 'x-forwarded-for': '203.0.113.9, 192.0.2.7' })
  expect(service.reached[0]?.headers['x-forwarded-for']).toBe('192.0.2.7')
})
