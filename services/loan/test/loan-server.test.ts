// The loan service as a server: what it says about itself, and how it is without its store.

import { expect, test } from 'vitest'
import { startLoan } from './support.ts'

test('OpenAPI names every command with its input, its answer and its headers', async () => {
  const { server } = await (await startLoan()).service()
  const { paths, components } = (await server.inject('/openapi.json')).json()
  expect(Object.keys(paths)).toEqual([
    '/api/loans',
    '/api/loans/{id}/approve',
    '/api/loans/{id}/deny',
    '/api/loans/{id}/withdraw',
  ])
  const { requestBody, parameters, responses } = paths['/api/loans'].post
  expect(Object.keys(requestBody.content['application/json'].schema.properties)).toEqual([
    'name',
    'address',
    'nationalId',
    'amount',
  ])
  expect(parameters).toMatchObject([{ in: 'header', name: 'idempotency-key' }])
  expect(Object.keys(responses)).toEqual(['401', '403', '2XX', '4XX', '5XX'])
  expect(components.schemas).toHaveProperty('Problem')
})

test('it is ready when the store answers, and degraded while the bureau is given up', async () => {
  const { service, bureau } = await startLoan()
  const { server, request } = await service()
  // Its first question to the store may take longer than a probe waits.
  await expect.poll(async () => (await server.inject('/health/ready')).json()).toMatchObject({ status: 'ready' })
  await bureau.behave('failing')
  for (let person = 0; person < 5; person++) await request({ nationalId: `55555${person}AA` })
  const degraded = await server.inject('/health/ready')
  expect([degraded.statusCode, degraded.json().status]).toEqual([200, 'degraded'])
})

test('without its store it is not ready and asks to be tried again', async () => {
  const { service } = await startLoan({ storeUrl: 'esdb://127.0.0.1:1?tls=false' })
  const { server, post } = await service()
  expect((await server.inject('/health/ready')).statusCode).toBe(503)
  const refused = await post('/api/loans/00000000-0000-4000-8000-000000000000/withdraw')
  expect([refused.status, refused.body.code]).toEqual([503, 'event_store_unavailable'])
  expect(refused.headers['retry-after']).toBe('1')
})
