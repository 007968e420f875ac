// What the API's description says about who may use what follows from the rules, and with what from the server.
import { anyone, owner, partner, people, type Rules, role } from '@headwater/deciders/policy'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { problemSchema } from '../src/commands/problem.ts'
import { createHealth } from '../src/server/health.ts'
import { type Accepted, securityOf } from '../src/server/openapi-security.ts'
import { createServer } from '../src/server/server.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const issuer = 'https://identity.example'
const frontDoor: Accepted = { issuer, cookies: true, limitsPartners: true }

test.each([
  ['people', [people], [{ bearer: [] }, { session: [] }, {}]],
  ['a role', [role('operator')], [{ bearer: ['operator'] }, { session: ['operator'] }]],
  ['a partner', [partner('loans:write')], [{ partner: ['loans:write'] }]],
  [
    'an owner',
    [owner('loans:read')],
    [{ bearer: [] }, { session: [] }, { capability: [] }, { partner: ['loans:read'] }],
  ],
  [
    'either of two roles',
    [role('underwriter'), role('operator')],
    [{ bearer: ['underwriter'] }, { session: ['underwriter'] }, { bearer: ['operator'] }, { session: ['operator'] }],
  ],
] satisfies [string, Rules, object[]][])('%s', (_who, rules, expected) => {
  expect(securityOf(rules, frontDoor)).toEqual(expected)
})

test('a service behind the front door takes bearer tokens only', () => {
  expect(securityOf([role('operator'), owner('loans:read')], {})).toEqual([
    { bearer: ['operator'] },
    { bearer: [] },
    { bearer: ['loans:read'] },
  ])
})

test('the description names schemes, requirements and refusals', async () => {
  const server = await createServer({
    title: 'Test',
    description: 'Test',
    logger: createLogger({ service: 'test', level: 'silent' }),
    health: createHealth({}),
    credentialsOf: async () => [],
    accepted: frontDoor,
  })
  onTestFinished(() => server.close())
  const schema = { response: { 200: z.object({}), 404: problemSchema } }
  server.get('/open', { config: { rules: [anyone] }, schema }, async () => ({}))
  server.get('/own', { config: { rules: [owner('loans:read')] }, schema }, async () => ({}))
  server.get('/vital', { config: { rules: [owner('loans:read')], isUnlimited: true }, schema }, async () => ({}))
  server.get('/operators', { config: { rules: [role('operator')] }, schema }, async () => ({}))
  const api = (await server.inject('/openapi.json')).json()
  expect(api.components.securitySchemes).toMatchObject({
    bearer: { type: 'http', scheme: 'bearer' },
    partner: { type: 'openIdConnect', openIdConnectUrl: `${issuer}/.well-known/openid-configuration` },
    session: { type: 'apiKey', in: 'cookie', name: 'headwater_session' },
    capability: { type: 'apiKey', in: 'cookie' },
  })
  const { '/open': open, '/own': own, '/vital': vital, '/operators': operators } = api.paths
  expect(open.get).not.toHaveProperty('security')
  expect(Object.keys(open.get.responses)).toEqual(['200', '404'])
  expect(Object.keys(own.get.responses)).toEqual(['200', '401', '403', '404', '429'])
  expect(Object.keys(vital.get.responses)).toEqual(['200', '401', '403', '404'])
  expect(Object.keys(operators.get.responses)).toEqual(['200', '401', '403', '404'])
  expect(operators.get.security).toEqual([{ bearer: ['operator'] }, { session: ['operator'] }])
  const refusal = own.get.responses[429].content['application/problem+json'].schema
  expect(refusal).toEqual({ $ref: '#/components/schemas/Problem' })
})
