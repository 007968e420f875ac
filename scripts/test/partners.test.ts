// The page for partners works, line by line, against the whole system with its own issuer; and what it promises holds.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatSecret, signedHeaders } from '@headwater/http-kit/outbound/webhook-signature'
import { application, nationalId, post, type System, startSystem, until } from '@headwater/test-kit/system'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startWorld } from '../../services/identity/test/support.ts'
import { demoTokens } from '../local/demo-tokens.ts'

const startMsMax = 90_000
const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/partners.md'), 'utf8')
const blocks = (language: string) =>
  [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].flatMap(([, name, text = '']) => (name === language ? [text] : []))

let system: System
let identity: Awaited<ReturnType<typeof startWorld>>
beforeAll(async () => {
  ;[system, identity] = await Promise.all([
    startSystem({ without: ['consent', 'dashboard-projector', 'web'] }),
    startWorld(),
  ])
  await identity.start({ IDENTITY_DEMO: '1' })
  const issuer = { OIDC_ISSUER: identity.issuer }
  for (const part of [...system.loans, system.jobs, system.gateway]) {
    await part.stop()
    await part.start(issuer)
  }
}, startMsMax)
afterAll(async () => {
  await system?.stop()
  await identity?.stop()
})

/** A demo person's access token, as the gateway gets it when they sign in. */
const tokenOfPerson = (userName: string) => demoTokens(identity.issuer, 'http://localhost:8080')(userName)

const tokenOfPartner = async (scope: string): Promise<string> => {
  const answer = await fetch(`${identity.issuer}/oidc/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('demo-partner:development-only-demo-partner')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

type Arrived = { readonly outcome: string; readonly message?: Readonly<Record<string, unknown>> }
const arrived = async () => {
  const answer = await fetch(`${system.sandbox.url}/partner/webhooks`)
  return ((await answer.json()) as { received: readonly Arrived[] }).received
}

test('the page, line by line', async () => {
  // An operator registers the webhook and hands over the secret.
  const operator = bearer(await tokenOfPerson('otto'))
  const url = `${system.sandbox.url}/partner/webhooks`
  const registered = await post(`${system.gateway.url}/api/webhooks`, { partner: 'demo-partner', url }, operator)
  expect(registered.status).toBe(201)
  await fetch(`${system.sandbox.url}/partner/webhooks/secret`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret: registered.body.secret }),
  })

  const script = blocks('sh')
    .join('\n')
    .replaceAll('localhost:8086', identity.issuer)
    .replaceAll('localhost:8080', system.gateway.url)
  const { stdout, status } = spawnSync('bash', ['-e', '-c', script], { encoding: 'utf8' })
  expect(status, stdout).toBe(0)
  const [first, repeated] = [...stdout.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => id)
  expect(repeated).toBe(first)
  expect(stdout).toMatch(/ratelimit-policy: "partner";q=600;w=60/i)
  expect(stdout).toMatch(/ratelimit: "partner";r=\d+;t=\d+/i)
  expect(stdout).toContain('"status":"approved"')

  await until('the outcome arrives', async () => (await arrived()).length > 0)
  expect(await arrived()).toMatchObject([
    {
      outcome: 'accepted',
      message: { type: 'loan.approved', loanId: first, data: { status: 'approved', amount: 10_000 } },
    },
  ])
})

test('its way to verify a message takes what is genuine and nothing else', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'headwater-partner-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'verify.mjs')
  writeFileSync(file, blocks('js').join('\n'))
  const { isGenuine } = (await import(pathToFileURL(file).href)) as {
    isGenuine: (headers: Readonly<Record<string, string>>, body: string, secret: string) => boolean
  }
  const [secret, other] = [formatSecret(randomBytes(32)), formatSecret(randomBytes(32))]
  const [body] = blocks('json')
  if (body === undefined) throw new Error('The page shows no message.')
  const message = { id: String(JSON.parse(body).id), body }
  const headers = signedHeaders(message, [other, secret], new Date())
  expect(isGenuine(headers, body, secret)).toBe(true)
  expect(isGenuine(headers, body.replace('10000', '99999'), secret)).toBe(false)
  expect(isGenuine({ ...headers, 'webhook-id': 'another' }, body, secret)).toBe(false)
  expect(isGenuine(signedHeaders(message, [other], new Date()), body, secret)).toBe(false)
  expect(isGenuine(signedHeaders(message, [secret], new Date(Date.now() - 400_000)), body, secret)).toBe(false)
  expect(isGenuine({}, body, secret)).toBe(false)
})

test('a partner needs the scopes and a key, and sees its own loans only', async () => {
  const api = `${system.gateway.url}/api/loans`
  const [full, reader] = [await tokenOfPartner('loans:write loans:read'), await tokenOfPartner('loans:read')]
  const key = { 'idempotency-key': 'an application of the test' }
  const apply = (token: string, headers = {}) =>
    post(api, application(nationalId(5, 70_001)), { ...bearer(token), ...headers })
  expect(await apply(reader, key)).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  expect(await apply(full)).toMatchObject({ status: 422, body: { code: 'idempotency_key_required' } })
  const own = await apply(full, key)
  expect(own.status).toBe(201)
  expect(
    await post(api, { ...application(nationalId(5, 70_001)), amount: 1 }, { ...bearer(full), ...key }),
  ).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })

  const somebodys = await post(api, application(nationalId(5, 70_002)), { 'idempotency-key': crypto.randomUUID() })
  expect(somebodys.status).toBe(201)
  const read = async (path: string) => {
    const answer = await fetch(`${api}${path}`, { headers: bearer(full) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  const after = `?after=${somebodys.body.position}`
  expect(await read(`/${own.body.id}${after}`)).toMatchObject({ status: 200, body: { status: 'awaiting review' } })
  expect(await read(`/${somebodys.body.id}${after}`)).toMatchObject({ status: 404, body: { code: 'loan_not_found' } })
  const { loans } = (await read(after)).body as { loans: readonly { loanId: string }[] }
  expect(loans.map(({ loanId }) => loanId)).toContain(own.body.id)
  expect(loans.map(({ loanId }) => loanId)).not.toContain(somebodys.body.id)
  const withdraw = (id: unknown) => post(`${api}/${id}/withdraw`, {}, { ...bearer(full), ...key })
  expect(await withdraw(somebodys.body.id)).toMatchObject({ status: 404, body: { code: 'loan_not_found' } })
  expect((await withdraw(own.body.id)).status).toBe(200)
  await until('the withdrawal arrives', async () =>
    (await arrived()).some(({ message }) => message?.type === 'loan.withdrawn'),
  )
  // Whatever else happened here, only the partner's own loans were told.
  expect((await arrived()).map(({ message }) => message?.loanId)).not.toContain(somebodys.body.id)
})

test('webhooks are for operators, at the front door too', async () => {
  const url = `${system.gateway.url}/api/webhooks`
  for (const [headers, status] of [
    [{}, 401],
    [bearer(await tokenOfPartner('loans:write loans:read')), 403],
    [bearer(await tokenOfPerson('uma')), 403],
    [bearer(await tokenOfPerson('otto')), 200],
  ] as const)
    expect((await fetch(url, { headers })).status).toBe(status)
})
