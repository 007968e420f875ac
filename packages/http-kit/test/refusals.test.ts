// What the server's owner is told of refusals: who was refused what and why, and nothing of nobody's or malformed requests.

import { randomUUID } from 'node:crypto'
import { Rejection } from '@headwater/deciders/decider'
import { longText, optionalText, uuid } from '@headwater/deciders/fields'
import { owner, people, role } from '@headwater/deciders/policy'
import { startIssuer } from '@headwater/test-kit/issuer'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { authSettings, bearerCredentials, createAuthenticator } from '../src/access/auth.ts'
import type { Operation, Refusal } from '../src/access/refusals.ts'
import { Problem } from '../src/commands/problem.ts'
import { parseConfig } from '../src/config.ts'
import { createHealth } from '../src/server/health.ts'
import { createServer } from '../src/server/server.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const thrown: Record<string, () => Error> = {
  rule: () => new Rejection('already_open', 'It is open already.'),
  revision: () => new Rejection('revision_mismatch', 'It changed.'),
  missing: () => new Problem(404, 'thing_not_found', 'There is no such thing.'),
  notYet: () => new Problem(404, 'thing_not_found', 'There is no such thing yet.', { stale: true }),
  throttled: () => new Problem(429, 'too_many_requests', 'Slower, please.'),
  store: () => new Rejection('event_store_unavailable', 'Try again in a moment.'),
  bug: () => new Error('a bug'),
}

const madeId = randomUUID()

const start = async () => {
  const issuer = await startIssuer()
  onTestFinished(issuer.stop)
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const refusals: Refusal[] = []
  const done: Operation[] = []
  const metrics = createMetrics()
  const server = await createServer({
    title: 'Things',
    description: 'A server to test.',
    logger,
    health: createHealth({}),
    metrics,
    credentialsOf: bearerCredentials(authenticator),
    onRefused: (refusal) => refusals.push(refusal),
    onDone: (operation) => done.push(operation),
  })
  onTestFinished(() => server.close())
  const body = z.strictObject({ why: optionalText(longText(100)) })
  const answer = async ({ body }: { body: { why?: string | undefined } }) => {
    const error = thrown[body.why ?? '']
    if (error) throw error()
    return 'done'
  }
  const params = z.object({ id: uuid })
  server.post('/things/:id', { config: { rules: [people] }, schema: { params, body } }, answer)
  server.post('/own/:id', { config: { rules: [owner('loans:read')] }, schema: { params, body } }, answer)
  server.post('/operators/:id', { config: { rules: [role('operator')] }, schema: { params, body } }, answer)
  const operation = { rules: [role('operator')], leavesNoEvent: true } as const
  server.post('/switches/:id', { config: operation, schema: { params, body } }, answer)
  server.post('/switches', { config: operation, schema: { body } }, async (_request, reply) =>
    reply.status(201).header('location', `/switches/${madeId}/positions`).send('made'),
  )
  const ask = async (path: string, token?: string, payload: object = {}) => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return (await server.inject({ method: 'POST', url: path, headers: authorization, payload })).statusCode
  }
  return { issuer, ask, refusals, done, metrics, server }
}

test('tells who was refused what, and why', async () => {
  const { issuer, ask, refusals } = await start()
  const [alice, id] = [await issuer.tokenOf({ roles: ['underwriter'] }), randomUUID()]
  for (const [path, why, status] of [
    ['operators', '', 403],
    ['things', 'rule', 409],
    ['things', 'revision', 412],
    ['things', 'throttled', 429],
    ['own', 'missing', 404],
  ] as const)
    expect(await ask(`/${path}/${id}`, alice, { why })).toBe(status)
  expect(refusals.map(({ route, status, code }) => [route, status, code])).toEqual([
    ['/operators/:id', 403, 'forbidden'],
    ['/things/:id', 409, 'already_open'],
    ['/things/:id', 412, 'revision_mismatch'],
    ['/things/:id', 429, 'too_many_requests'],
    ['/own/:id', 404, 'thing_not_found'],
  ])
  expect(refusals[0]).toEqual({
    actor: { kind: 'person', sub: 'alice', roles: ['underwriter'], scopes: [] },
    method: 'POST',
    route: '/operators/:id',
    resource: id,
    status: 403,
    code: 'forbidden',
    traceparent: expect.stringMatching(/^00-[\da-f]{32}-[\da-f]{16}-01$/),
  })
})

test('tells nothing of nobody, of the malformed, of what is not there for anybody, and of its own failures', async () => {
  const { issuer, ask, refusals, metrics, server } = await start()
  const [alice, id] = [await issuer.tokenOf(), randomUUID()]
  expect(await ask(`/operators/${id}`)).toBe(401)
  expect(await ask(`/things/${id}`, 'nonsense')).toBe(401)
  expect(await ask(`/things/${id}`, await issuer.tokenOf({ claims: { exp: 1 } }))).toBe(401)
  expect(await ask(`/things/${id}`, undefined, { why: 'rule' })).toBe(409)
  expect(await ask(`/things/${id}`, alice, { odd: 1 })).toBe(422)
  expect(await ask(`/own/not-an-id`, alice)).toBe(404)
  expect(await ask(`/things/${id}`, alice, { why: 'missing' })).toBe(404)
  expect(await ask(`/own/${id}`, alice, { why: 'notYet' })).toBe(404)
  expect(await ask('/nowhere', alice)).toBe(404)
  expect(await ask(`/things/${id}`, alice, { why: 'store' })).toBe(503)
  expect(await ask(`/things/${id}`, alice, { why: 'bug' })).toBe(500)
  const headers = { authorization: `Bearer ${alice}`, 'content-type': 'application/json' }
  expect((await server.inject({ method: 'POST', url: `/things/${id}`, headers, payload: '{' })).statusCode).toBe(400)
  expect(refusals).toEqual([])
  expect(await metrics.text()).toContain('http_problems_total{route="/operators/:id",code="not_signed_in"} 1')
})

test('does not repeat what stands in the place of an id', async () => {
  const { issuer, ask, refusals } = await start()
  expect(await ask('/operators/555555AA', await issuer.tokenOf())).toBe(403)
  expect(refusals).toMatchObject([{ route: '/operators/:id', resource: null }])
})

test('tells what was done where nothing else does, by whom and to what', async () => {
  const { issuer, ask, done } = await start()
  const [otto, alice, id] = [
    await issuer.tokenOf({ sub: 'otto', roles: ['operator'] }),
    await issuer.tokenOf(),
    randomUUID(),
  ]
  expect(await ask(`/switches/${id}`, otto)).toBe(200)
  expect(await ask('/switches', otto)).toBe(201)
  expect(await ask(`/switches/${id}`, alice)).toBe(403)
  expect(await ask(`/switches/${id}`, otto, { why: 'rule' })).toBe(409)
  expect(await ask(`/operators/${id}`, otto)).toBe(200)
  expect(done.map(({ actor, method, route, resource }) => [actor.sub, method, route, resource])).toEqual([
    ['otto', 'POST', '/switches/:id', id],
    ['otto', 'POST', '/switches', madeId],
  ])
})
