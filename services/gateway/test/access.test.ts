// Who may ask and follow what: every route and topic for every kind of viewer, on their own loan and on a stranger's.

import { randomUUID } from 'node:crypto'
import { contexts } from '@headwater/deciders/contexts'
import { freeText } from '@headwater/deciders/free-text'
import { loanViewOf, someLoans } from '@headwater/deciders/loan/loan-policy'
import { operationsRules } from '@headwater/deciders/operations/operations-policy'
import { type Actor, anonymous, may, type Rules } from '@headwater/deciders/policy'
import { webhookRules } from '@headwater/deciders/webhook/webhook-policy'
import { securityOf } from '@headwater/http-kit/server/openapi-security'
import type { LoanRow } from '@headwater/read-models/loan/loans'
import type { TestIssuer } from '@headwater/test-kit/issuer'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { topics } from '../src/live/topics.ts'
import { connectLive, newLoan, startEdge, startGateway } from './support.ts'

/** The loan that the holder of a capability has the link to. */
const linked = randomUUID()

const person = (sub: string, ...roles: string[]): Actor => ({ kind: 'person', sub, roles, scopes: [] })
const partner = (sub: string, ...scopes: string[]): Actor => ({ kind: 'partner', sub, roles: [], scopes })
const viewers: Record<string, Actor> = {
  nobody: anonymous,
  person: person('alice'),
  underwriter: person('uma', 'underwriter'),
  operator: person('otto', 'operator'),
  auditor: person('ada', 'auditor'),
  doctor: person('dora', 'doctor'),
  'somebody with every role': person('eve', 'operator', 'auditor', 'underwriter'),
  'partner without scopes': partner('acme'),
  'partner that reads': partner('acme', 'loans:read'),
  'partner that writes': partner('acme', 'loans:write'),
  'hospital system': partner('clinic', 'consents:check'),
  capability: { kind: 'capability', sub: `loan:${linked}`, roles: [], scopes: [`loan:${linked}`] },
}

/** Public operations of the contexts, with their rules. */
const contextRoutes: Record<string, Rules> = Object.fromEntries(
  contexts.flatMap(({ api = { commands: {}, queries: {} } }) =>
    [
      ...Object.values(api.commands).flatMap((command) => (command.internal ? [] : [{ method: 'POST', ...command }])),
      ...Object.values(api.queries).map((query) => ({ method: 'GET', ...query })),
    ]
      // Served by what signs browsers in, which is not here.
      .filter(({ path }) => !path.endsWith('/link'))
      .map(({ method, path, rules }) => [`${method} ${path.replace(':id', '{id}')}`, rules]),
  ),
)

const routes: Record<string, Rules> = {
  ...contextRoutes,
  'GET /api/operations': operationsRules.overview,
  'GET /api/operations/parked': operationsRules.parked,
  'POST /api/operations/followers/{name}/pause': operationsRules.pause,
  'POST /api/operations/followers/{name}/rebuild': operationsRules.rebuild,
  'POST /api/operations/followers/{name}/resume': operationsRules.resume,
  'POST /api/operations/followers/{name}/stop-rebuild': operationsRules.stopRebuild,
  'POST /api/operations/parked-jobs/{id}/run-again': operationsRules.runParkedJobAgain,
  'POST /api/operations/parked-jobs/{id}/skip': operationsRules.skipParkedJob,
  'POST /api/operations/parked/{id}/retry': operationsRules.retryParked,
  'POST /api/operations/parked/{id}/skip': operationsRules.skipParked,
  'GET /api/webhooks': webhookRules.list,
  'GET /api/webhooks/{id}/deliveries': webhookRules.deliveries,
  'POST /api/webhooks': webhookRules.register,
  'POST /api/webhooks/deliveries/{id}/again': webhookRules.deliverAgain,
  'POST /api/webhooks/{id}/disable': webhookRules.disable,
  'POST /api/webhooks/{id}/enable': webhookRules.enable,
  'POST /api/webhooks/{id}/rotate-secret': webhookRules.rotateSecret,
}

/** In the order of the topics. */
const topicRules: Record<string, Rules> = Object.fromEntries(
  contexts.flatMap(({ api }) => Object.entries(api?.topics ?? {}).map(([name, { rules }]) => [name, rules])),
)

/** Without which a route is not asked for anything. */
const queryOf: Record<string, string> = { 'GET /api/loans/{id}/changes': '?from=0' }

/** What is allowed and goes no further than the gateway; in the paths there is no consent and no follower, and nothing in the body. */
const answeredHere: Record<string, number> = {
  'GET /api/consents': 200,
  'GET /api/consents/granted': 200,
  'GET /api/consents/requests': 200,
  'GET /api/consents/{id}/history': 404,
  'POST /api/consents/check': 422,
  'GET /api/loans': 200,
  'GET /api/loans/{id}': 200,
  'POST /api/loans/{id}/reveal-national-id': 200,
  'GET /api/operations': 200,
  'GET /api/operations/parked': 200,
  'POST /api/operations/followers/{name}/pause': 404,
  'POST /api/operations/followers/{name}/rebuild': 404,
  'POST /api/operations/followers/{name}/resume': 404,
  'POST /api/operations/followers/{name}/stop-rebuild': 404,
  'POST /api/operations/parked/{id}/retry': 422,
  'POST /api/operations/parked/{id}/skip': 422,
}

const tokenOf = ({ kind, sub, roles, scopes }: Actor, issuer: TestIssuer): Promise<string> | undefined => {
  if (kind === 'anonymous') return undefined
  if (kind === 'capability') return issuer.capabilityOf(sub.slice('loan:'.length))
  return issuer.tokenOf({ sub, roles, scopes, clientId: kind === 'partner' ? sub : 'headwater-web' })
}
const headersOf = async (actor: Actor, issuer: TestIssuer): Promise<Record<string, string>> => {
  const token = await tokenOf(actor, issuer)
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}
/** The row that the viewer made or has the link to; nobody has one. */
const ownOf = ({ kind, sub }: Actor): LoanRow =>
  kind === 'person' || kind === 'partner'
    ? newLoan({ requestedByKind: kind, requestedById: sub })
    : newLoan({ loanId: kind === 'capability' ? linked : randomUUID(), requestedByKind: 'anonymous' })

const open = async () => {
  const edge = await startEdge()
  const gateway = await startGateway(edge.directory)
  const stop = async () => {
    await gateway.close()
    await edge.remove()
  }
  return { edge, gateway, stop }
}
const start = async () => {
  const opened = await open()
  onTestFinished(opened.stop)
  return opened
}

test('every route that is not public, and every topic, is in the tables of this test', async () => {
  const { gateway } = await start()
  type Description = { paths: Record<string, Record<string, { security?: object[] }>> }
  const { paths } = (await (await gateway.get('/openapi.json')).json()) as Description
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => [`${method.toUpperCase()} ${path}`, security] as const),
  )
  expect(described.map(([route]) => route).sort()).toEqual(Object.keys(routes).sort())
  for (const [route, security] of described)
    expect(security).toEqual(securityOf(routes[route] ?? [], { issuer: gateway.issuer.url, cookies: true }))
  expect([...topics].map(([name, { rules }]) => [name, rules])).toEqual(Object.entries(topicRules))
  for (const { filter } of topics.values()) expect(freeText(filter)).toEqual([])
})

describe.each(Object.keys(viewers))('%s', (who) => {
  const viewer = viewers[who] as Actor
  // Asking changes nothing: all routes are asked of one gateway.
  let asked: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    asked = await open()
    return asked.stop
  })

  test.each(Object.keys(routes))('%s', async (route) => {
    const { edge, gateway } = asked
    const own = ownOf(viewer)
    const strangers = newLoan({ requestedById: 'stranger' })
    await edge.write(own, strangers)
    const [method = '', path = ''] = route.split(' ')
    const headers = await headersOf(viewer, gateway.issuer)
    const permission = may(viewer, routes[route] ?? [])
    for (const [loan, isOwn] of [
      [own, true],
      [strangers, false],
    ] as const) {
      const address = path.replace('{id}', loan.loanId) + (queryOf[route] ?? '')
      const answer = await gateway.get(address, { method, headers })
      const text = await answer.text()
      const code = text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined
      if (permission === 'no') {
        const isNobody = viewer.kind === 'anonymous'
        expect([answer.status, code]).toEqual(isNobody ? [401, 'not_signed_in'] : [403, 'forbidden'])
        continue
      }
      // What stands behind the gateway is away: what is allowed gets that far.
      const here = answeredHere[route]
      const isRefusedHere = permission === 'if owner' && !isOwn && path.includes('{id}')
      // A link names the loan that a command may be for; whose loan is asked for, the rows or events tell.
      const knownHere = here !== undefined || (viewer.kind === 'capability' && method === 'POST')
      expect(answer.status).toBe(isRefusedHere && knownHere ? 404 : (here ?? 503))
      const codes = { consents: 'consent_not_found', loans: 'loan_not_found', operations: 'not_found' }
      if (answer.status === 404) expect(code).toBe(codes[path.split('/')[2] as keyof typeof codes])
    }
  })

  test('sees the fields of their sight, and no others, in a loan, in the list and live', async () => {
    const { edge, gateway } = await start()
    const own = ownOf(viewer)
    const strangers = newLoan({ requestedById: 'stranger' })
    await edge.write(own, strangers)
    const headers = await headersOf(viewer, gateway.issuer)
    const sight = loanViewOf(viewer)
    const client = await connectLive({ liveUrl: gateway.liveUrl, headers })
    onTestFinished(() => client.socket.terminate())
    client.subscribe('all')
    client.subscribe('one', { loanId: strangers.loanId })
    await client.until(() => client.messages.length === 2)
    if (!sight) {
      const code = viewer.kind === 'anonymous' ? 'not_signed_in' : 'forbidden'
      expect(client.messages).toMatchObject(['all', 'one'].map((id) => ({ type: 'error', id, code })))
      return
    }
    const visible = may(viewer, someLoans) === 'yes' ? [strangers, own] : [own]
    const list = (await (await gateway.get('/api/loans', { headers })).json()) as { loans: LoanRow[] }
    const one = (await (await gateway.get(`/api/loans/${own.loanId}`, { headers })).json()) as LoanRow
    for (const rows of [list.loans, client.rows('all')])
      expect(rows.map(({ loanId }) => loanId).sort()).toEqual(visible.map(({ loanId }) => loanId).sort())
    for (const row of [...list.loans, ...client.rows('all'), one])
      expect(Object.keys(row).sort()).toEqual([...sight.fields].sort())
    expect(client.rows('one')).toHaveLength(visible.length - 1)
    expect(JSON.stringify([list, one, client.messages])).not.toContain('555555AA')
  })

  test.each(Object.keys(topicRules))('topic %s', async (topic) => {
    const { edge, gateway } = await start()
    await edge.write(newLoan())
    const headers = await headersOf(viewer, gateway.issuer)
    const client = await connectLive({ liveUrl: gateway.liveUrl, headers })
    onTestFinished(() => client.socket.terminate())
    client.subscribe('q', {}, undefined, topic as 'loans')
    await client.until(() => client.messages.length > 0)
    const [first] = client.messages
    const refused = first?.type === 'error' && ['forbidden', 'not_signed_in'].includes(first.code)
    expect(refused).toBe(may(viewer, topics.get(topic)?.rules ?? []) === 'no')
  })
})

test("answers for another person's loan exactly as for one that does not exist", async () => {
  const { edge, gateway } = await start()
  const strangers = newLoan({ requestedById: 'stranger', revision: 7 })
  await edge.write(newLoan(), strangers)
  const shown = async (loanId: string, query = '') => {
    const answer = await gateway.get(`/api/loans/${loanId}${query}`)
    const names = ['etag', 'headwater-position', 'headwater-stale', 'cache-control']
    return { status: answer.status, headers: names.map((name) => answer.headers.get(name)), body: await answer.text() }
  }
  for (const query of ['', '?after=1/1', '?after=9/9']) {
    expect(await shown(strangers.loanId, query)).toEqual(await shown(randomUUID(), query))
    expect((await shown(strangers.loanId, query)).status).toBe(404)
  }
})

describe('a live query of one’s own loans', () => {
  test('says nothing of others, neither when they come and change nor when it goes on by its token', async () => {
    const { edge, gateway } = await start()
    const [own, strangers] = [newLoan(), newLoan({ requestedById: 'stranger' })]
    await edge.write(own, strangers)
    const connect = async () => {
      const client = await connectLive(gateway)
      onTestFinished(() => client.socket.terminate())
      return client
    }
    const client = await connect()
    client.subscribe('mine')
    client.subscribe('theirs', { loanId: strangers.loanId })
    client.subscribe('probe', { status: strangers.status })
    await client.until(() => client.messages.length === 3)
    const late = newLoan({ requestedById: 'stranger' })
    const next = newLoan()
    await edge.write({ ...strangers, status: 'approved' }, late)
    await edge.write({ ...own, status: 'approved' }, next)
    await client.until(() => client.rows('mine').length === 2)
    await client.close()

    await edge.write({ ...strangers, status: 'denied' }, { ...late, status: 'denied' })
    const last = newLoan()
    await edge.write(last)
    const again = await connect()
    again.subscribe('mine', {}, { rows: client.rows('mine'), token: client.token('mine') })
    again.subscribe('theirs', { loanId: strangers.loanId }, { rows: [], token: client.token('theirs') })
    await again.until(() => again.rows('mine').length === 3)
    await again.until(() => again.messages.length === 2)
    const said = JSON.stringify([client.messages, again.messages].flat().map(({ ...message }) => message))
    expect(again.messages.map(({ type }) => type)).toEqual(['change', 'change'])
    for (const { loanId } of [strangers, late]) expect(said).not.toContain(loanId)
  })

  test('is never shared with a viewer who sees other rows or other fields', async () => {
    const { edge, gateway } = await start()
    const loans = [newLoan(), newLoan({ requestedById: 'bob' })]
    await edge.write(...loans)
    const actors = [person('alice'), person('bob'), person('uma', 'underwriter'), person('otto', 'operator')]
    const clients = await Promise.all(
      actors.map(async (actor) => {
        const headers = await headersOf(actor, gateway.issuer)
        const client = await connectLive({ liveUrl: gateway.liveUrl, headers })
        onTestFinished(() => client.socket.terminate())
        client.subscribe('q')
        return client
      }),
    )
    for (const client of clients) await client.until(() => client.messages.length > 0)
    expect(clients.map((client) => client.rows('q').length)).toEqual([1, 1, 2, 2])
    expect(clients.map((client) => JSON.stringify(client.messages).includes('Lovelace'))).toEqual([
      false,
      false,
      true,
      false,
    ])
  })
})

test('closes a socket when its token has ended', async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory, { liveLimits: { heartbeatMs: 100 } })
  onTestFinished(gateway.close)
  const token = await gateway.issuer.tokenOf()
  const client = await connectLive({ liveUrl: gateway.liveUrl, headers: { authorization: `Bearer ${token}` } })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
  onTestFinished(() => void vi.useRealTimers())
  expect(await client.closed).toEqual({ code: 4401, reason: 'the token has ended' })
})

test("counts a partner's requests through a socket with its others, and limits no other caller", async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory, { partnerLimitPerMinute: 4 })
  onTestFinished(gateway.close)
  const token = await gateway.issuer.partnerTokenOf('acme', ['loans:read'])
  const headers = { authorization: `Bearer ${token}` }
  const client = await connectLive({ liveUrl: gateway.liveUrl, headers })
  onTestFinished(() => client.socket.terminate())
  expect((await gateway.get('/api/loans', { headers })).headers.get('ratelimit')).toMatch(/;r=2;/)
  for (const id of ['a', 'b', 'c']) client.subscribe(id)
  await client.until(() => client.messages.length === 3)
  expect(client.messages).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ type: 'snapshot', id: 'a' }),
      expect.objectContaining({ type: 'snapshot', id: 'b' }),
      expect.objectContaining({ type: 'error', id: 'c', code: 'too_many_requests' }),
    ]),
  )
  await expect(connectLive({ liveUrl: gateway.liveUrl, headers })).rejects.toThrow('429')
  const person = await connectLive(gateway)
  onTestFinished(() => person.socket.terminate())
  for (const id of ['a', 'b', 'c', 'd', 'e']) person.subscribe(id)
  await person.until(() => person.messages.length === 5)
  expect(person.messages.every(({ type }) => type === 'snapshot')).toBe(true)
})

test('asks the same of a HEAD as of a GET', async () => {
  const { gateway } = await start()
  const paths = ['/api/loans', `/api/loans/${randomUUID()}`, '/api/underwriting/queue', '/api/underwriting/history.csv']
  for (const path of paths) expect((await gateway.get(path, { method: 'HEAD', headers: {} })).status).toBe(401)
})

test('refuses a socket that comes with a token that is not valid', async () => {
  const { gateway } = await start()
  const headers = { authorization: `Bearer ${await gateway.issuer.tokenOf({ claims: { aud: 'elsewhere' } })}` }
  await expect(connectLive({ liveUrl: gateway.liveUrl, headers })).rejects.toThrow('401')
})
