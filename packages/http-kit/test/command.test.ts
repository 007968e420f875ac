// How a command's answer and its precondition look over HTTP.
import { expect, onTestFinished, test } from 'vitest'
import { answerCommand, expectedRevisionOf } from '../src/commands/command.ts'
import { createHealth } from '../src/server/health.ts'
import { createServer } from '../src/server/server.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const start = async () => {
  const logger = createLogger({ service: 'things', level: 'silent' })
  const server = await createServer({ title: 'Things', description: 'Things.', logger, health: createHealth({}) })
  const answer = { id: '00000000-0000-4000-8000-000000000000', revision: '2', position: '18446744073709551614/9' }
  server.post('/created', (_request, reply) => answerCommand(reply, answer, '/things/1'))
  server.post('/done', (_request, reply) => answerCommand(reply, answer))
  server.post('/expects', async (request) => ({ revision: String(expectedRevisionOf(request)) }))
  onTestFinished(() => server.close())
  return { server, answer }
}

test.each([
  ['/created', 201, '/things/1'],
  ['/done', 200, undefined],
])('%s answers %i', async (url, status, location) => {
  const { server, answer } = await start()
  const { statusCode, headers, ...rest } = await server.inject({ method: 'POST', url })
  expect(statusCode).toBe(status)
  expect(rest.json()).toEqual(answer)
  expect(headers).toMatchObject({ etag: '"2"', 'headwater-position': answer.position })
  expect(headers.location).toBe(location)
})

test.each([
  [undefined, 200, { revision: 'undefined' }],
  ['"0"', 200, { revision: '0' }],
  ['"900719925474099312"', 200, { revision: '900719925474099312' }],
  ['2', 422, { code: 'validation', errors: [{ field: 'If-Match' }] }],
  ['"a"', 422, { code: 'validation' }],
  ['*', 422, { code: 'validation' }],
  ['W/"2"', 422, { code: 'validation' }],
  ['"1", "2"', 422, { code: 'validation' }],
])('If-Match %s', async (header, status, body) => {
  const { server } = await start()
  const headers = header === undefined ? {} : { 'if-match': header }
  const answer = await server.inject({ method: 'POST', url: '/expects', headers })
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toMatchObject(body)
})
