// A route serves whom its rules name, and that is settled before anything else about the request is looked at.
import { name } from '@headwater/deciders/fields'
import { owner, people, role } from '@headwater/deciders/policy'
import { authenticatorOf, startIssuer } from '@headwater/test-kit/issuer'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { publicRoute } from '../src/access/access.ts'
import { bearerCredentials } from '../src/access/auth.ts'
import { createHealth } from '../src/server/health.ts'
import { createServer } from '../src/server/server.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const start = async () => {
  const issuer = await startIssuer()
  onTestFinished(issuer.stop)
  const authenticator = authenticatorOf(issuer.env)
  const server = await createServer({
    title: 'Things',
    description: 'A server to test.',
    logger,
    health: createHealth({}, { issuer: authenticator.status }),
    credentialsOf: bearerCredentials(authenticator),
  })
  onTestFinished(() => server.close())
  const body = z.strictObject({ name })
  server.get('/anyone', { config: publicRoute }, async ({ actor }) => actor)
  server.post('/people', { config: { rules: [people] }, schema: { body } }, async ({ actor }) => actor)
  server.post('/operators', { config: { rules: [role('operator')] }, schema: { body } }, async ({ actor }) => actor)
  server.get('/own', { config: { rules: [owner('loans:read')] } }, async ({ allowed }) => ({
    is: allowed[0]?.permission,
  }))
  server.get('/nobody', { config: { rules: [] } }, async () => 'secret')
  const ask = async (method: 'GET' | 'POST', url: string, token?: string, payload: object = { name: 'x' }) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await server.inject({ method, url, headers, ...(method === 'POST' && { payload }) })
    return { status: answer.statusCode, headers: answer.headers, text: answer.payload, code: answer.json?.().code }
  }
  return { issuer, server, ask }
}

test('whom the rules name is served, others are told whether signing in may help, whatever else is wrong', async () => {
  const { issuer, ask } = await start()
  const [person, operator] = [await issuer.tokenOf(), await issuer.tokenOf({ sub: 'otto', roles: ['operator'] })]
  const wrong = { odd: 1 }
  expect(await ask('POST', '/operators', undefined, wrong)).toMatchObject({ status: 401, code: 'not_signed_in' })
  expect(await ask('POST', '/operators', person, wrong)).toMatchObject({ status: 403, code: 'forbidden' })
  expect(await ask('POST', '/operators', operator, wrong)).toMatchObject({ status: 422, code: 'validation' })
  expect(await ask('POST', '/operators', operator)).toMatchObject({ status: 200 })
  expect(JSON.parse((await ask('POST', '/people')).text)).toMatchObject({ kind: 'anonymous' })
  expect(JSON.parse((await ask('POST', '/people', person)).text)).toMatchObject({ kind: 'person', sub: 'alice' })
  expect((await ask('GET', '/nobody', operator)).status).toBe(403)
})

test('a token that is not valid is refused, and not taken for none', async () => {
  const { issuer, ask } = await start()
  const refused = await ask('POST', '/people', await issuer.tokenOf({ claims: { aud: 'elsewhere' } }))
  expect(refused).toMatchObject({ status: 401, code: 'invalid_token' })
  expect(refused.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
  expect((await ask('GET', '/own')).headers['www-authenticate']).toBe('Bearer')
})

test('whose a thing is remains for the handler to find out', async () => {
  const { issuer, ask } = await start()
  expect((await ask('GET', '/own', await issuer.tokenOf())).text).toBe('{"is":"if owner"}')
})

test('what is public asks nobody who they are, and an address without a route is no secret', async () => {
  const { issuer, server, ask } = await start()
  await issuer.stop()
  expect(JSON.parse((await ask('GET', '/anyone', 'nonsense')).text)).toMatchObject({ kind: 'anonymous' })
  expect((await ask('GET', '/nowhere')).status).toBe(404)
  const health = await server.inject('/health/ready')
  expect(health.json()).toMatchObject({
    status: 'degraded',
    parts: { issuer: { trouble: expect.stringContaining('cannot be reached') } },
  })
  expect((await server.inject('/metrics')).statusCode).toBe(200)
})

test('a route that does not say whom it serves keeps the server from starting', async () => {
  const { server } = await start()
  server.get('/forgotten', async () => 'secret')
  await expect(server.ready()).rejects.toThrow('Nothing says who may use /forgotten')
})

test('OpenAPI says where a token is needed, and where it is only possible', async () => {
  const { server } = await start()
  const { paths, components } = (await server.inject('/openapi.json')).json()
  expect(components.securitySchemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer' } })
  expect(paths['/anyone'].get.security).toBeUndefined()
  expect(paths['/people'].post.security).toEqual([{ bearer: [] }, {}])
  expect(paths['/operators'].post.security).toEqual([{ bearer: ['operator'] }])
})
