// What no client of ours would send, to every process that listens: none answers 500, and none ends.
import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Part, type System, startSystem } from './system.ts'

const requests = Number(process.env.MALFORMED_REQUESTS ?? 1_000)
/** Open at a time. */
const batch = 20
/** On one socket. */
const messagesMin = 10
const messagesMax = 20
/** What a client is told that breaks the rules. */
const policyViolation = 1008
/** A request that never ends is answered by nobody; whoever waits this long has seen no 500. */
const silenceMs = 500
const startMsMax = 60_000
const runMsMax = 40 * 60_000

let system: System
beforeAll(async () => {
  system = await startSystem()
}, startMsMax)
afterAll(() => system.stop())

const oneOf = fc.constantFrom<string[]>
const junk = fc.string({ unit: 'binary', maxLength: 40 })
const text = fc.string({ maxLength: 40 })

const method = fc.oneof(
  { weight: 8, arbitrary: oneOf('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT') },
  { weight: 1, arbitrary: oneOf('get', 'PROPFIND', 'QUERY', 'G ET', '') },
  { weight: 1, arbitrary: junk },
)
const id = fc.oneof(fc.uuid(), oneOf('%00', '..', '%2e%2e%2f', 'null', '-1', '%', '%ff', 'a'.repeat(3_000)), text)
const query = fc.oneof(
  oneOf(
    '',
    '?',
    '?after=1/1',
    '?after=99999999999999999999/1',
    '?cursor=%00',
    '?limit=-1',
    '?status[]=1',
    '?__proto__=1',
  ),
  oneOf('?sort=name&sort=name', '?returnTo=//x', '?code=1&state=2', '?_routes=root', '?index', '?days=1e9'),
  text.map((one) => `?${one}`),
)
const place = fc.oneof(
  oneOf('/', '/api/loans', '/api/underwriting/queue', '/api/underwriting/history.csv', '/openapi.json', '/api/docs/'),
  oneOf(
    '/auth/sign-in',
    '/auth/callback',
    '/auth/sign-out',
    '/auth/me',
    '/live',
    '/health/ready',
    '/metrics',
    '/_.data',
  ),
  oneOf(
    '/apply',
    '/underwriting',
    '/assets/',
    '/assets/../../package.json',
    '//',
    '/..%2f',
    '*',
    'http://evil.test/',
    '',
  ),
  id.map((one) => `/api/loans/${one}`),
  fc
    .tuple(id, oneOf('approve', 'deny', 'withdraw', 'history', 'link'))
    .map(([one, what]) => `/api/loans/${one}/${what}`),
  id.map((one) => `/auth/link/${one}`),
  id.map((one) => `/apply/${one}`),
  id.map((one) => `/applications/${one}`),
  junk.map((one) => `/${one}`),
)
const token = fc.oneof(
  oneOf(
    'Bearer',
    'Bearer x',
    'Bearer ey.ey.ey',
    'Basic eDp5',
    'Bearer eyJhbGciOiJub25lIn0.e30.',
    `Bearer ${'a'.repeat(9_000)}`,
  ),
  text.map((one) => `Bearer ${one}`),
  fc
    .tuple(fc.json(), fc.json())
    .map((parts) => `Bearer ${parts.map((part) => Buffer.from(part).toString('base64url')).join('.')}.AAAA`),
)
const cookie = fc.oneof(
  oneOf('=', ';;;', 'headwater_session', 'headwater_session=%', 'headwater_session=%00', '__proto__=1; constructor=2'),
  oneOf(`headwater_session=${'x'.repeat(43)}`, 'headwater_sign_in=AAAA', `headwater_sign_in=${'A'.repeat(200)}`),
  fc.tuple(id, text).map(([one, value]) => `headwater_loan_${one}=${value}`),
  fc.array(text, { maxLength: 60 }).map((all) => all.map((one, n) => `c${n}=${one}`).join('; ')),
)
const headerLine = fc.oneof(
  token.map((one) => `authorization: ${one}`),
  cookie.map((one) => `cookie: ${one}`),
  fc
    .tuple(oneOf('idempotency-key', 'if-match', 'origin', 'sec-fetch-site', 'traceparent', 'x-forwarded-for'), text)
    .map((pair) => pair.join(': ')),
  oneOf(
    'content-type: application/json',
    'content-type: text/xml',
    'content-type: ',
    'content-type: multipart/form-data',
  ),
  oneOf('transfer-encoding: chunked', 'transfer-encoding: gzip', 'expect: 100-continue', 'content-length: -1'),
  oneOf('upgrade: websocket', 'connection: upgrade', 'connection: close', 'sec-websocket-version: 99', 'host: '),
  oneOf('accept: \u0000', 'x-a: \u00ff', ' folded', 'no colon', ': no name', 'content-length: 5\r\ncontent-length: 6'),
  junk,
)
const body = fc.oneof(
  fc.constant(''),
  fc.json(),
  oneOf(
    '{',
    '[]',
    'null',
    '"x"',
    '{"__proto__":{"x":1}}',
    '[[[[[[[[[[[[[[[[',
    `{"name":${'['.repeat(2_000)}`,
    'a=b&c=%',
  ),
  oneOf('{"name":"\\u0000","address":"x","nationalId":"555555AA","amount":1}', '{"amount":1e400}', 'x'.repeat(70_000)),
  junk,
)
const request = fc
  .tuple(method, place, query, fc.array(headerLine, { maxLength: 5 }), body, fc.boolean())
  .map(([what, where, asked, lines, sent, measured]) => {
    const length = measured ? [`content-length: ${Buffer.byteLength(sent)}`] : []
    return [`${what} ${where}${asked} HTTP/1.1`, 'host: headwater', ...length, ...lines, '', sent].join('\r\n')
  })

/** The statuses that come back for the bytes, until the other side closes or has nothing to say. */
const statusesOf = async (part: Part, sent: string): Promise<readonly number[]> => {
  const { hostname, port } = new URL(part.url)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('latin1').on('data', (some) => {
    received += some
  })
  socket.on('error', () => undefined)
  socket.setTimeout(silenceMs, () => socket.destroy())
  socket.write(sent, 'utf8')
  await new Promise((resolve) => socket.once('close', resolve))
  return [...received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
}

const isAlive = async (part: Part) => (await fetch(`${part.url}/health/live`)).status === 200

test(`${requests} requests that make no sense`, { timeout: runMsMax }, async () => {
  const { gateway, web, loans, jobs, projector, dashboardProjector, sandbox } = system
  // Most at the front door, some at every other.
  const doors = [gateway, gateway, gateway, gateway, ...loans, web, jobs, projector, dashboardProjector, sandbox]
  const samples = fc.sample(request, requests)
  let answered = 0
  for (let first = 0; first < samples.length; first += batch) {
    const found = await Promise.all(
      samples.slice(first, first + batch).map(async (sent, n) => {
        const part = doors[(first + n) % doors.length] ?? gateway
        return { part: part.name, sent, statuses: await statusesOf(part, sent) }
      }),
    )
    answered += found.filter(({ statuses }) => statuses.length > 0).length
    expect(found.filter(({ statuses }) => statuses.includes(500))).toEqual([])
  }
  expect(answered).toBeGreaterThan(requests / 2)
  for (const part of new Set(doors)) expect(await isAlive(part), `${part.name}: ${part.output()}`).toBe(true)
})

test('messages over sockets that make no sense', { timeout: runMsMax }, async () => {
  const message = fc.oneof(
    fc.json(),
    junk,
    fc
      .record({
        type: oneOf('subscribe', 'unsubscribe', 'x'),
        id: fc.oneof(text, fc.constant('a'.repeat(100))),
        topic: oneOf('loans', 'underwriting', '__proto__', 'constructor', ''),
        filter: fc.oneof(fc.jsonValue(), fc.constant({ status: 'denied' }), fc.constant({ loanId: '%' })),
        token: fc.oneof(text, fc.constant('loans.1.x:1/1.1'), fc.constant('loans.1.x:99999999999999999999/1.1')),
      })
      .map((one) => JSON.stringify(one)),
  )
  const sockets = fc.sample(
    fc.array(message, { minLength: messagesMin, maxLength: messagesMax }),
    requests / messagesMax,
  )
  for (const messages of sockets) {
    const socket = new WebSocket(`${system.gateway.url.replace('http', 'ws')}/live`)
    await once(socket, 'open')
    let closedByServer: number | undefined
    socket.once('close', (code) => {
      closedByServer = code
    })
    for (const one of messages) socket.send(one)
    // What came before a ping has been handled when its pong is back.
    socket.ping()
    await Promise.race([once(socket, 'pong'), once(socket, 'close')])
    // Any other would be a failure of ours.
    expect([undefined, policyViolation], messages.join('\n')).toContain(closedByServer)
    socket.terminate()
  }
  expect(await isAlive(system.gateway)).toBe(true)
})
