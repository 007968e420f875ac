// What the front door answers over HTTP: queries with their positions, forwarded commands, the pages.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type LoanRow, publicLoan } from '@headwater/read-models/loan/loans'
import { describe, expect, onTestFinished, test } from 'vitest'
import { newLoan, startEdge, startGateway, underwriter } from './support.ts'

const start = async (options: Parameters<typeof startGateway>[1] = {}) => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory, options)
  onTestFinished(gateway.close)
  return { edge, gateway, get: gateway.get }
}

describe('GET /api/loans/:id', () => {
  test('answers its owner with public fields, the revision as ETag and the position it is true at', async () => {
    const { edge, get } = await start()
    const loan = newLoan({ revision: 2 })
    const position = await edge.write(loan)
    const answer = await get(`/api/loans/${loan.loanId}`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual(publicLoan(loan))
    expect(answer.headers.get('etag')).toBe('"2"')
    expect(answer.headers.get('headwater-position')).toBe(position)
    expect(answer.headers.get('headwater-stale')).toBeNull()
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test('shows an underwriter all but the whole national id', async () => {
    const { edge, get } = await start({ as: underwriter })
    const loan = newLoan()
    await edge.write(loan)
    expect(await (await get(`/api/loans/${loan.loanId}`)).json()).toEqual({ ...loan, nationalId: '••••••AA' })
  })

  test('waits for the position it is given', async () => {
    const { edge, get } = await start()
    await edge.write(newLoan())
    const loan = newLoan()
    let answered = false
    const answer = get(`/api/loans/${loan.loanId}?after=2/2`).finally(() => {
      answered = true
    })
    // Whatever is asked later is answered, and this is not.
    for (let asked = 0; asked < 5; asked++) await get('/api/loans')
    expect(answered).toBe(false)
    await edge.write(loan)
    expect((await answer).status).toBe(200)
    expect((await answer).headers.get('headwater-stale')).toBeNull()
  })

  test('says that it is stale when the position does not come', async () => {
    const { edge, get } = await start()
    const loan = newLoan()
    await edge.write(loan)
    const [known, unknown] = await Promise.all([
      get(`/api/loans/${loan.loanId}?after=9/9`),
      get(`/api/loans/${newLoan().loanId}?after=9/9`),
    ])
    expect(known.status).toBe(200)
    expect(known.headers.get('headwater-stale')).toBe('true')
    expect(known.headers.get('headwater-position')).toBe('1/1')
    // Nothing is missing from the rows: the position is none of the event store's.
    expect(unknown.status).toBe(404)
    expect(unknown.headers.get('headwater-stale')).toBe('true')
    expect(await unknown.json()).toMatchObject({ code: 'loan_not_found' })
  })

  test('says so, for that loan and for every list, when an event of the stream could not be projected', async () => {
    const { edge, get } = await start()
    const [stuck, other, missing] = [newLoan(), newLoan(), newLoan()]
    await edge.write(stuck, other)
    for (const path of ['/api/loans', `/api/loans/${stuck.loanId}`])
      expect((await get(path)).headers.get('headwater-parked')).toBeNull()
    await edge.park(stuck.loanId)
    await edge.park(missing.loanId)
    const parkedOf = async (path: string) => (await get(path)).headers.get('headwater-parked')
    expect(await parkedOf('/api/loans')).toBe('2')
    expect(await parkedOf(`/api/loans/${stuck.loanId}`)).toBe('1')
    expect(await parkedOf(`/api/loans/${other.loanId}`)).toBeNull()
    const notThere = await get(`/api/loans/${missing.loanId}`)
    expect([notThere.status, await notThere.json()]).toMatchObject([503, { code: 'read_model_behind', parked: true }])
  })

  test('a loan that is not in the rows is 404 only while these are current; readiness says when they are not', async () => {
    const { edge, gateway, get } = await start()
    const health = async () => {
      const answer = await get('/health/ready')
      const { status, parts } = (await answer.json()) as { status: string; parts: Record<string, { trouble?: string }> }
      return [answer.status, status, parts.loans?.trouble]
    }
    const created = newLoan()
    const theirs = newLoan({ requestedById: 'bob' })
    await edge.write(newLoan(), theirs)
    const ask = async ({ loanId }: LoanRow, init?: RequestInit) => {
      const answer = await get(`/api/loans/${loanId}`, init)
      return [answer.status, ((await answer.json()) as { code?: string }).code, answer.headers.get('retry-after')]
    }
    const notFound = [404, 'loan_not_found', null]
    const notKnown = [503, 'read_model_behind', '1']
    expect([await ask(created), await ask(theirs)]).toEqual([notFound, notFound])
    expect(await health()).toEqual([200, 'degraded', undefined]) // Postgres is away

    // An event lies ahead of the rows, and nothing comes.
    edge.missUpTo(2)
    expect([await ask(created), await ask(theirs)]).toEqual([notKnown, notKnown])
    expect(await health()).toEqual([
      200,
      'degraded',
      expect.stringMatching(/^It stands still at 1\/1 since \S+Z: newer/),
    ])
    // A link is for one loan: no other can ever be found by it.
    const token = await gateway.issuer.capabilityOf(created.loanId)
    const byLink = { headers: { authorization: `Bearer ${token}` } }
    expect([await ask(theirs, byLink), await ask(created, byLink)]).toEqual([notFound, notKnown])
    // It comes while it is asked for.
    const asked = ask(created)
    await edge.write(created)
    expect(await asked).toEqual([200, undefined, null])
    expect(await health()).toEqual([200, 'degraded', undefined])

    await edge.close()
    expect([await ask(newLoan()), await ask(created)]).toEqual([notKnown, [200, undefined, null]])
    expect(await health()).toEqual([
      200,
      'degraded',
      expect.stringMatching(/^It is not known to be current since \S+Z: its/),
    ])
  })

  test.each([
    ['/api/loans/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60', 404, 'loan_not_found'],
    ['/api/loans/nonsense', 404, 'not_found'],
    ['/api/loans/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60?after=rubbish', 422, 'validation'],
    ['/api/loans?status=odd', 422, 'validation'],
    ['/api/loans?limit=101', 422, 'validation'],
    ['/api/loans?cursor=rubbish', 422, 'validation'],
    ['/api/loans?unknown=1', 422, 'validation'],
    ['/api/nowhere', 404, 'not_found'],
  ])('%s is a problem: %i %s', async (path, status, code) => {
    const { get } = await start()
    const answer = await get(path)
    expect(answer.headers.get('content-type')).toMatch('application/problem+json')
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ status, code })
  })
})

test('lists loans, the newest first, page by page', async () => {
  const { edge, get } = await start()
  const loans = Array.from({ length: 7 }, (_, place) => newLoan({ status: place % 2 === 0 ? 'denied' : 'approved' }))
  await edge.write(...loans)
  const pages = async (query: string) => {
    const found: LoanRow[][] = []
    for (let next: string | null = ''; next !== null; ) {
      const answer = await get(`/api/loans?limit=3${query}${next && `&cursor=${next}`}`)
      const page = (await answer.json()) as { loans: LoanRow[]; next: string | null }
      found.push(page.loans)
      next = page.next
    }
    return found
  }
  const newestFirst = loans.toReversed().map(publicLoan)
  expect(await pages('')).toEqual([newestFirst.slice(0, 3), newestFirst.slice(3, 6), newestFirst.slice(6)])
  const approved = newestFirst.filter(({ status }) => status === 'approved')
  expect(await pages('&status=approved')).toEqual([approved])
})

test('is not ready before there is a read model, and answers queries with 503 until then', async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(`${edge.directory}/empty`)
  onTestFinished(gateway.close)
  expect((await fetch(`${gateway.url}/health/ready`)).status).toBe(503)
  expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200)
  const answer = await gateway.get('/api/loans')
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).not.toBeNull()
})

test('stops although a connection is open on which nothing was ever asked', async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory)
  const silent = connect(gateway.port, '127.0.0.1')
  await once(silent, 'connect')
  const closed = once(silent, 'close')
  // A later connection answers: the silent one has been accepted.
  await fetch(`${gateway.url}/health/live`)
  await gateway.close()
  await closed
})

describe('a command', () => {
  /** What stands behind the gateway: an HTTP server that records what reaches it. */
  const startService = async (answer: { status: number; headers: Record<string, string>; body: string }) => {
    const received: { request: IncomingMessage; body: string }[] = []
    const service = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      received.push({ request, body })
      response.writeHead(answer.status, answer.headers).end(answer.body)
    })
    await new Promise<void>((resolve) => {
      service.listen(0, '127.0.0.1', resolve)
    })
    onTestFinished(() => void service.close())
    return { received, url: `http://127.0.0.1:${(service.address() as AddressInfo).port}` }
  }

  test('reaches its service untouched, with the headers that matter, and so does the answer come back', async () => {
    const body = '{"id":"1",  "revision":"2","position":"3/3"}'
    const headers = {
      'content-type': 'application/json',
      etag: '"2"',
      'headwater-position': '3/3',
      location: '/api/loans/1',
      'x-inside': 'secret',
    }
    const service = await startService({ status: 201, headers, body })
    const { gateway } = await start({ serviceUrls: { loan: service.url } })
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const answer = await fetch(`${gateway.url}/api/loans`, {
      method: 'POST',
      body: '{ "amount" :  1 }',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': 'k',
        'if-match': '"1"',
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
        cookie: 'private',
        ...gateway.headers,
      },
    })
    const [sent] = service.received
    expect(sent?.body).toBe('{ "amount" :  1 }')
    expect(sent?.request.url).toBe('/api/loans')
    expect(sent?.request.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'k',
      'if-match': '"1"',
    })
    expect(sent?.request.headers.traceparent).toContain(traceId)
    expect(sent?.request.headers.cookie).toBeUndefined()
    expect(sent?.request.headers.authorization).toBe(gateway.headers.authorization)
    expect(answer.status).toBe(201)
    expect(await answer.text()).toBe(body)
    for (const name of ['etag', 'headwater-position', 'location'] as const)
      expect(answer.headers.get(name)).toBe(headers[name])
    expect(answer.headers.get('x-inside')).toBeNull()
  })

  test('may come without a body; a problem comes back as the service said it', async () => {
    const problem = '{"status":409,"code":"loan_not_awaiting_review","detail":"Decided."}'
    const headers = { 'content-type': 'application/problem+json', 'retry-after': '7' }
    const service = await startService({ status: 409, headers, body: problem })
    const { gateway } = await start({ serviceUrls: { loan: service.url }, as: underwriter })
    const address = '/api/loans/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60/approve'
    const answer = await gateway.get(address, { method: 'POST' })
    expect(service.received).toMatchObject([{ body: '', request: { url: address } }])
    expect(answer.status).toBe(409)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('retry-after')).toBe('7')
    expect(await answer.text()).toBe(problem)
  })

  test('is answered with 503 when its service is not there, or answers without end', async () => {
    const endless = await startService({ status: 200, headers: {}, body: 'x'.repeat(100_000) })
    for (const loan of ['http://127.0.0.1:1', endless.url]) {
      const { gateway } = await start({ serviceUrls: { loan } })
      const answer = await fetch(`${gateway.url}/api/loans`, { method: 'POST', body: '{}' })
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).not.toBeNull()
      expect(await answer.json()).toMatchObject({ code: 'service_unavailable' })
    }
  })

  test('is given up in time when its service never answers, also while it waits for its turn', async () => {
    let [reached, open, answers] = [0, 0, false]
    const service = createServer((_request, response) => {
      reached++
      if (answers) response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
    service.on('connection', (socket) => {
      open++
      socket.once('close', () => open--)
    })
    await new Promise<void>((resolve) => {
      service.listen(0, '127.0.0.1', resolve)
    })
    onTestFinished(() => {
      service.closeAllConnections()
      service.close()
    })
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    const { gateway } = await start({ serviceUrls: { loan: url }, commandTimeoutMs: 1_500 })
    const apply = async () => (await fetch(`${gateway.url}/api/loans`, { method: 'POST', body: '{}' })).status
    const statuses = await Promise.all(Array.from({ length: 200 }, apply))
    expect(new Set(statuses)).toEqual(new Set([503]))
    await expect.poll(() => open, { timeout: 10_000 }).toBe(0)
    // Of those that were given up none is sent any more, nor is before whoever comes next.
    const before = reached
    answers = true
    expect(await apply()).toBe(200)
    expect(reached).toBe(before + 1)
  })

  test('that is too large is refused at the door', async () => {
    const { gateway } = await start()
    const answer = await fetch(`${gateway.url}/api/loans`, { method: 'POST', body: 'x'.repeat(100_000) })
    expect(answer.status).toBe(413)
  })
})

test('describes commands and queries, and shows them on a page', async () => {
  const { get } = await start()
  type Description = {
    openapi: string
    paths: Record<string, Record<string, { requestBody?: object; security?: object[] }>>
  }
  const description = (await (await get('/openapi.json')).json()) as Description
  expect(description.openapi).toBe('3.1.0')
  expect(Object.keys(description.paths).sort()).toEqual([
    '/api/audit',
    '/api/consents',
    '/api/consents/ask',
    '/api/consents/check',
    '/api/consents/decline',
    '/api/consents/grant',
    '/api/consents/granted',
    '/api/consents/requests',
    '/api/consents/revoke',
    '/api/consents/{id}/history',
    '/api/loans',
    '/api/loans/{id}',
    '/api/loans/{id}/approve',
    '/api/loans/{id}/changes',
    '/api/loans/{id}/deny',
    '/api/loans/{id}/history',
    '/api/loans/{id}/reveal-national-id',
    '/api/loans/{id}/withdraw',
    '/api/operations',
    '/api/operations/followers/{name}/pause',
    '/api/operations/followers/{name}/rebuild',
    '/api/operations/followers/{name}/resume',
    '/api/operations/followers/{name}/stop-rebuild',
    '/api/operations/parked',
    '/api/operations/parked-jobs/{id}/run-again',
    '/api/operations/parked-jobs/{id}/skip',
    '/api/operations/parked/{id}/retry',
    '/api/operations/parked/{id}/skip',
    '/api/underwriting/history',
    '/api/underwriting/history.csv',
    '/api/underwriting/queue',
    '/api/underwriting/statistics',
    '/api/webhooks',
    '/api/webhooks/deliveries/{id}/again',
    '/api/webhooks/{id}/deliveries',
    '/api/webhooks/{id}/disable',
    '/api/webhooks/{id}/enable',
    '/api/webhooks/{id}/rotate-secret',
  ])
  // Who may use what, with what: an operation without it serves everybody.
  const open = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { security }]) => (security ? [] : [`${method} ${path}`])),
  )
  expect(open).toEqual([])
  expect(JSON.stringify(description.paths['/api/loans']?.post?.requestBody)).toContain('nationalId')
  const page = await get('/api/docs')
  expect(page.status).toBe(200)
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
})
