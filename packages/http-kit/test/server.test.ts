// What every server promises over HTTP: one answer shape for every error, limits, headers, OpenAPI.

import { once } from 'node:events'
import { connect } from 'node:net'
import { Rejection } from '@headwater/deciders/decider'
import { name, uuid } from '@headwater/deciders/fields'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { Problem } from '../src/commands/problem.ts'
import { createHealth } from '../src/server/health.ts'
import { createServer } from '../src/server/server.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const secret = 'the password is swordfish'

const thrown: Record<string, () => Error> = {
  rule: () => new Rejection('already_open', 'It is open already.', { since: 'monday' }),
  missing: () => new Rejection('thing_not_found', 'There is no such thing.'),
  store: () => new Rejection('event_store_unavailable', 'Try again in a moment.', { host: secret }),
  revision: () => new Rejection('revision_mismatch', 'It changed.'),
  key: () => new Rejection('idempotency_key_reused', 'Another request came under this key.'),
  throttled: () => new Problem(429, 'too_many_requests', 'Slower, please.'),
  bug: () => new Error(secret),
  status500: () => Object.assign(new Error(secret), { statusCode: 502 }),
}

const start = async () => {
  const lines: string[] = []
  const server = await createServer({
    title: 'Things',
    description: 'A server to test.',
    logger: createLogger({ service: 'things', level: 'debug' }, { write: (line) => void lines.push(line) }),
    health: createHealth({}),
    statuses: { thing_not_found: 404 },
  })
  server.post(
    '/things',
    {
      schema: { body: z.strictObject({ name, size: z.int().optional() }) },
    },
    async (request) => ({ name: request.body.name }),
  )
  server.get('/things/:id', { schema: { params: z.object({ id: uuid }) } }, async (request) => request.params)
  server.get('/throws/:what', async (request) => {
    throw thrown[(request.params as { what: string }).what]?.()
  })
  onTestFinished(() => server.close())
  return { server, lines }
}

test.each([
  ['rule', 409, { code: 'already_open', title: 'Conflict', detail: 'It is open already.', since: 'monday' }],
  ['missing', 404, { code: 'thing_not_found' }],
  ['revision', 412, { code: 'revision_mismatch' }],
  ['key', 422, { code: 'idempotency_key_reused' }],
  ['throttled', 429, { code: 'too_many_requests' }],
  ['store', 503, { code: 'event_store_unavailable' }],
  ['bug', 500, { code: 'internal_server_error' }],
  ['status500', 500, { code: 'internal_server_error' }],
])('an error of kind %s is answered with %i', async (kind, status, body) => {
  const { server } = await start()
  const answer = await server.inject(`/throws/${kind}`)
  expect(answer.statusCode).toBe(status)
  expect(answer.headers['content-type']).toMatch('application/problem+json')
  expect(answer.json()).toMatchObject({ type: 'about:blank', status, ...body })
  expect(answer.payload).not.toContain(secret)
  expect(answer.headers['retry-after']).toBe(status === 503 || status === 429 ? '1' : undefined)
})

const json = { 'content-type': 'application/json' }

test.each([
  ['not JSON', { headers: json, payload: '{' }, 400, 'bad_request'],
  ['an empty body', { headers: json, payload: '' }, 400, 'bad_request'],
  [
    'bytes that are not UTF-8',
    { headers: json, payload: Buffer.from('{"name":"Zo\xeb"}', 'latin1') },
    400,
    'bad_request',
  ],
  ['UTF-16', { headers: json, payload: Buffer.from('\ufeff{"name":"Zoe"}', 'utf16le') }, 400, 'bad_request'],
  ['a poisoned prototype', { headers: json, payload: '{"__proto__":{"a":1}}' }, 400, 'bad_request'],
  ['a body that is too large', { headers: json, payload: `"${'x'.repeat(70_000)}"` }, 413, 'payload_too_large'],
  ['text', { headers: { 'content-type': 'text/plain' }, payload: '{}' }, 415, 'unsupported_media_type'],
  ['XML', { headers: { 'content-type': 'text/xml' }, payload: '<a/>' }, 415, 'unsupported_media_type'],
])('a request with %s is refused', async (_what, request, status, code) => {
  const { server } = await start()
  const answer = await server.inject({ method: 'POST', url: '/things', ...request })
  expect(answer.statusCode).toBe(status)
  expect(answer.headers['content-type']).toMatch('application/problem+json')
  expect(answer.json()).toMatchObject({ status, code })
})

test.each([
  ['no body', undefined, [{ field: '', message: 'is missing' }]],
  ['a missing field', {}, [{ field: 'name', message: 'is missing' }]],
  ['a wrong field', { name: '7' }, [{ field: 'name', message: 'at least one letter' }]],
  ['an unknown field', { name: 'xx', score: 9 }, [{ field: 'score', message: 'is not a field of this request' }]],
])('%s is a validation problem that names the field', async (_what, payload, errors) => {
  const { server } = await start()
  const answer = await server.inject({ method: 'POST', url: '/things', ...(payload && { payload }) })
  expect(answer.statusCode).toBe(422)
  expect(answer.json()).toMatchObject({ code: 'validation', errors })
})

test('a byte order mark before a body is ignored', async () => {
  const { server } = await start()
  const answer = await server.inject({ method: 'POST', url: '/things', headers: json, payload: '\ufeff{"name":"Zoë"}' })
  expect(answer.json()).toEqual({ name: 'Zoë' })
})

test.each([
  ['body', { body: z.object({ note: z.string() }) }],
  ['query', { querystring: z.object({ note: z.string().optional() }) }],
  ['parameter', { params: z.object({ note: z.uuid() }) }],
  ['header', { headers: z.looseObject({ note: z.string() }) }],
])('a route that takes any text in a %s is refused', async (_part, schema) => {
  const { server } = await start()
  expect(() => server.post('/notes/:note', { schema }, async () => undefined)).toThrow('takes any text as note')
})

test.each(['/nothing', '/things/not-an-id', '/things/%zz'])('%s is not there', async (url) => {
  const { server } = await start()
  const answer = await server.inject(url)
  expect([400, 404]).toContain(answer.statusCode)
  expect(answer.headers['content-type']).toMatch('application/problem+json')
})

test.each([
  ['a header that is too long', `GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ['what is not HTTP', 'hello\r\n\r\n', 400],
])('%s is refused before it is a request', async (_what, bytes, status) => {
  const { server } = await start()
  const { hostname, port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.write(bytes)
  await once(socket, 'close')
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head).toMatch(`HTTP/1.1 ${status} `)
  expect(head).toMatch('application/problem+json')
  expect(JSON.parse(body)).toMatchObject({ status })
})

test.each([
  ['never ends its headers', 'GET /things HTTP/1.1\r\nhost: things\r\nx-a: '],
  [
    'never ends its body',
    'POST /things HTTP/1.1\r\nhost: things\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
  ],
])('a client that %s holds no connection for ever', async (_what, sent) => {
  const { server } = await start()
  onTestFinished(() => server.close())
  const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }))
  const socket = connect(Number(port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let received = ''
  socket.on('data', (some) => {
    received += some
  })
  const closed = once(socket, 'close')
  // A byte now and then does not help it.
  socket.write(sent)
  socket.write('x')
  await closed
  // Where nothing was asked yet there is an answer; what was asked is not answered.
  expect(received).toMatch(/^(HTTP\/1\.1 408 |$)/)
})

test('answers carry the headers that browsers need to be careful', async () => {
  const { server } = await start()
  const { headers } = await server.inject('/health/live')
  expect(headers['content-security-policy']).toBe("default-src 'none';frame-ancestors 'none'")
  expect(headers['x-content-type-options']).toBe('nosniff')
  expect(headers['x-powered-by']).toBeUndefined()
})

test('OpenAPI 3.1 describes the routes and not what is for operators', async () => {
  const { server } = await start()
  const document = (await server.inject('/openapi.json')).json()
  expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Things' } })
  expect(Object.keys(document.paths)).toEqual(['/things', '/things/{id}', '/throws/{what}'])
  expect(document.paths['/things'].post.requestBody.content['application/json'].schema).toMatchObject({
    required: ['name'],
    additionalProperties: false,
  })
})

test('logs of a request carry its trace and nothing of its body', async () => {
  const { server, lines } = await start()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` }
  await server.inject({ method: 'POST', url: '/things', headers, payload: { name: 'Ada Lovelace' } })
  await server.inject({ url: '/throws/bug', headers })
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'debug', service: 'things', route: '/things', status: 200, traceparent: expect.stringContaining(traceId) },
    { level: 'error', err: { message: secret }, traceparent: expect.stringContaining(traceId) },
    { level: 'debug', status: 500, traceparent: expect.stringContaining(traceId) },
  ])
  expect(lines.join()).not.toContain('Lovelace')
})

test('a request in flight is answered although the server is closing', async () => {
  const { server } = await start()
  const finish = Promise.withResolvers<void>()
  const began = Promise.withResolvers<void>()
  server.get('/slow', async () => {
    began.resolve()
    await finish.promise
    return { done: true }
  })
  const answer = fetch(`${await server.listen({ host: '127.0.0.1', port: 0 })}/slow`)
  await began.promise
  const closed = server.close()
  finish.resolve()
  expect(await (await answer).json()).toEqual({ done: true })
  await closed
})

test('a request that does not come whole in time loses its connection, before a gateway has given up', async () => {
  const server = await createServer({
    title: 'Things',
    description: 'A server to test.',
    logger: createLogger({ service: 'things', level: 'silent' }),
    health: createHealth({}),
  })
  onTestFinished(() => server.close())
  // Node enforces it, once in 30 s, by these two.
  expect(server.server.requestTimeout).toBe(10_000)
  expect(server.server.headersTimeout).toBeGreaterThan(0)
})
