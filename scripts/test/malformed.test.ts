// What no client of ours would send, to every process that listens: none answers 500, and none ends.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import {
  application,
  introduce,
  nationalId,
  type Part,
  post,
  type System,
  startSystem,
  until,
} from '@headwater/test-kit/system'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { hostileTexts } from '../../packages/deciders/test/hostile-texts.ts'
import { run } from '../../packages/operator-tool/src/run.ts'
import { type HostileRequest, knownId, requestsWith, type Sender } from './hostile-requests.ts'

const requestsOfShortForm = 500
const requests = Number(process.env.MALFORMED_REQUESTS ?? requestsOfShortForm)
/** The short form has the two that databases refuse. */
const isLong = requests > requestsOfShortForm
const texts = hostileTexts.filter(([what]) => isLong || ['NUL', 'a lone high surrogate'].includes(what))
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

const [paula, dora] = ['6f1b58f0-37a5-4c53-8a4b-0d8c5c9d6a01', '6f1b58f0-37a5-4c53-8a4b-0d8c5c9d6a02'] as const

let system: System
beforeAll(async () => {
  system = await startSystem()
  await introduce(system, {
    [paula]: { roles: ['patient'] },
    [dora]: { roles: ['doctor'] },
    [knownId]: { roles: ['patient', 'doctor'] },
  })
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

const senders: Readonly<Record<Sender, () => Promise<Readonly<Record<string, string>>>>> = {
  applicant: async () => ({}),
  underwriter: () => bearer('grace', 'underwriter'),
  operator: () => bearer('otto', 'operator'),
  auditor: () => bearer('ada', 'auditor'),
  patient: () => bearer(paula, 'patient'),
  doctor: () => bearer(dora, 'doctor'),
  partner: async () => ({ authorization: `Bearer ${await system.issuer.partnerTokenOf('acme', ['consents:check'])}` }),
}
const bearer = async (sub: string, ...roles: string[]) => ({
  authorization: `Bearer ${await system.issuer.tokenOf({ sub, roles })}`,
})

test('hostile text in every field of every request is refused or accepted, and stops nothing', {
  timeout: runMsMax,
}, async () => {
  const headersOf = new Map<Sender, Readonly<Record<string, string>>>()
  for (const [sender, headers] of Object.entries(senders)) headersOf.set(sender as Sender, await headers())
  const ask = async ({ as, method, path, body, form, headers }: HostileRequest) => {
    const { gateway } = system
    const answer = await fetch(gateway.url + path, {
      method,
      headers: {
        ...headersOf.get(as),
        'idempotency-key': randomUUID(),
        ...(body && { 'content-type': 'application/json' }),
        ...(form && { origin: gateway.url }),
        ...headers,
      },
      redirect: 'manual',
      ...(body && { body: JSON.stringify(body) }),
      ...(form && { body: new URLSearchParams(form) }),
    })
    await answer.arrayBuffer()
    return answer.status
  }
  const all = texts.flatMap(([, text]) => requestsWith(text))
  const failed: unknown[] = []
  for (let first = 0; first < all.length; first += batch) {
    const some = all.slice(first, first + batch)
    const found = await Promise.all(some.map(async (one) => ({ ...one, status: await ask(one) })))
    failed.push(...found.filter(({ status }) => status >= 500))
  }
  expect(failed).toEqual([])
  for (const [, text] of texts) await sendOverSocket(text)
  await expectWell()
})

/** As everything that a message can hold as text; the server may refuse, and must not fail. */
const sendOverSocket = async (text: string) => {
  const socket = new WebSocket(`${system.gateway.url.replace('http', 'ws')}/live`, { headers: system.asUnderwriter })
  await once(socket, 'open')
  const filters = [{ search: text }, { loanId: text }, { status: text }, text]
  const messages = [{ id: text }, { topic: text }, { token: text }, ...filters.map((filter) => ({ filter }))]
  for (const topic of ['loans', 'underwriting'])
    for (const [place, message] of messages.entries())
      socket.send(JSON.stringify({ type: 'subscribe', id: `${topic} ${place}`, topic, ...message }))
  socket.ping()
  const [code] = await Promise.race([once(socket, 'pong').then(() => [undefined]), once(socket, 'close')])
  expect([undefined, policyViolation], text).toContain(code)
  socket.terminate()
}

/** Every follower goes on, nothing is parked, and the doctor finds nothing. */
const expectWell = async () => {
  const { gateway, edgeDirectory, eventstoreUrl, databaseUrl } = system
  const headers = await senders.operator()
  const shown = async (path: string) => (await fetch(`${gateway.url}/api/operations${path}`, { headers })).json()
  await until('all is in', async () => {
    const { followers } = (await shown('')) as { followers: { lagMs: number | null }[] }
    return followers.every(({ lagMs }) => lagMs === 0)
  })
  expect(await shown('/parked')).toMatchObject({ count: 0, parked: [] })
  let said = ''
  const say = (some: string) => {
    said += some
  }
  const env = { EVENTSTORE_URL: eventstoreUrl, DATABASE_URL: databaseUrl, EDGE_DIRECTORY: edgeDirectory }
  const { signal } = new AbortController()
  expect(await run(['doctor'], { env, out: say, err: say, isTerminal: false, signal }), said).toBe(0)
}

test('a text of every kind arrives as it was meant: in rows, on pages, in a file and in a mail', async () => {
  const { gateway, consent, sandbox, asUnderwriter, urlFor } = system
  const key = () => ({ 'idempotency-key': randomUUID() })
  const shownName = 'Zoë 李 ليلى'
  const loan = {
    ...application(nationalId(5, 77).toLowerCase()),
    name: ' Zoe\u0308 李 ليلى\u00a0',
    address: 'ul. Łąkowa 1',
  }
  const requested = await post(`${gateway.url}/api/loans`, loan, key())
  expect(requested.status).toBe(201)
  const id = String(requested.body.id).toUpperCase()
  const get = async (path: string, headers: Readonly<Record<string, string>> = asUnderwriter, url = gateway.url) =>
    (await fetch(url + path, { headers })).text()

  const search = { ...asUnderwriter, 'headwater-search': encodeURIComponent('zoe\u0308 李') }
  const waiting = JSON.parse(await get(`/api/underwriting/queue?after=${requested.body.position}`, search))
  expect(waiting.loans).toMatchObject([{ loanId: id.toLowerCase(), name: shownName }])
  const denied = await post(
    `${gateway.url}/api/loans/${id}/deny`,
    { reason: ' "no",\r\nhe says 👩\u200d🔬 ' },
    { ...asUnderwriter, ...key() },
  )
  expect(denied.status).toBe(200)
  const shown = JSON.parse(await get(`/api/loans/${id}?after=${denied.body.position}`))
  const reason = '"no",\nhe says 👩\u200d🔬'
  expect(shown).toMatchObject({ name: shownName, address: loan.address, nationalId: '••••••AA', reason })
  const page = await get(`/underwriting/loans/${id}`, {}, urlFor.underwriter)
  for (const part of [shownName, loan.address, 'he says 👩\u200d🔬']) expect(page).toContain(part)
  const file = await get(`/api/underwriting/history.csv?after=${denied.body.position}`)
  expect(file).toContain(`,${shownName},`)
  expect(file).toContain('"""no"",\nhe says 👩\u200d🔬"')

  const [asPaula, asDora] = [await senders.patient(), await senders.doctor()]
  const contact = { email: ` Paula.${randomUUID()}@Example.ORG ` }
  expect(await post(`${consent.url}/api/consents/contact`, contact, { ...asPaula, ...key() })).toMatchObject({
    status: 200,
  })
  const asked = await post(
    `${gateway.url}/api/consents/ask`,
    { patientId: ` ${paula.toUpperCase()}`, target: 'exams', purpose: 'Cafe\u0301, tomorrow' },
    { ...asDora, ...key() },
  )
  expect(asked).toMatchObject({ status: 200, body: { id: paula } })
  const requests = JSON.parse(await get(`/api/consents/requests?after=${asked.body.position}`, asPaula))
  expect(requests.consents).toMatchObject([{ requests: [{ purpose: 'Café, tomorrow' }] }])
  await until('the mail has arrived', async () => {
    const { mails } = JSON.parse(await get('/v1/mails', {}, sandbox.url)) as { mails: { to: string[] }[] }
    return mails.some(({ to }) => to.includes(contact.email.trim().toLowerCase()))
  })

  const nothing = await Promise.all(
    [undefined, null, {}, { reason: null }, { reason: ' ' }].map((body) =>
      fetch(`${gateway.url}/api/loans/${id}/withdraw`, {
        method: 'POST',
        headers: { ...asUnderwriter, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    ),
  )
  // Refused for what it is, not for how it is sent.
  expect(new Set(nothing.map(({ status }) => status))).toEqual(new Set([404]))
})

test('bytes that are not UTF-8 are refused at every door', async () => {
  const { gateway, web, loans, consent, jobs } = system
  const body = Buffer.from('{"name":"Zo\xeb","a":"%ff"}', 'latin1')
  const [json, form] = ['application/json', 'application/x-www-form-urlencoded']
  const doors = [
    [`${gateway.url}/api/loans`, json, 'applicant'],
    [`${gateway.url}/api/consents/check`, json, 'partner'],
    [`${gateway.url}/apply/${randomUUID()}`, form, 'applicant'],
    [`${web.url}/apply/${randomUUID()}`, form, 'applicant'],
    [`${loans[0]?.url}/api/loans`, json, 'applicant'],
    [`${consent.url}/api/consents/ask`, json, 'doctor'],
    [`${jobs.url}/api/webhooks`, json, 'operator'],
  ] as const
  for (const [url, type, sender] of doors) {
    const headers = { ...(await senders[sender]()), 'content-type': type, origin: new URL(url).origin }
    const answer = await fetch(url, { method: 'POST', headers, body })
    expect([url, answer.status]).toEqual([url, 400])
  }
})
