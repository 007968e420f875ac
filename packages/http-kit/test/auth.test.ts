// Which tokens are believed, whose actor they make, and what happens while the issuer is away.
import { generateKeyPairSync } from 'node:crypto'
import { freePort } from '@headwater/test-kit/free-port'
import { type IssuerOptions, startIssuer, type TestIssuer } from '@headwater/test-kit/issuer'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { type Authenticator, authSettings, bearerToken, createAuthenticator } from '../src/access/auth.ts'
import { parseConfig } from '../src/config.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const schema = z.object(authSettings)
const hour = 3_600
const now = () => Math.floor(Date.now() / 1_000)
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

const authenticatorOf = (issuer: TestIssuer, changes: Record<string, string> = {}): Authenticator =>
  createAuthenticator(parseConfig(schema, { ...issuer.env, ...changes }), logger)

const start = async (options: IssuerOptions = {}) => {
  const issuer = await startIssuer(options)
  onTestFinished(issuer.stop)
  return { issuer, authenticator: authenticatorOf(issuer) }
}

const invalid = { status: 401, code: 'invalid_token' }

afterEach(() => void vi.useRealTimers())

test('a person has the roles and scopes of their token', async () => {
  const { issuer, authenticator } = await start()
  const token = await issuer.tokenOf({ sub: 'uma', roles: ['underwriter', 'chess'], scopes: ['openid'] })
  expect(await authenticator.actorOf(token)).toEqual({
    kind: 'person',
    sub: 'uma',
    roles: ['underwriter', 'chess'],
    scopes: ['openid'],
  })
})

test('a person whose id is a UUID is the same in capitals', async () => {
  const { issuer, authenticator } = await start()
  const sub = '6F1B58F0-37A5-4C53-8A4B-0D8C5C9D6A01'
  expect(await authenticator.actorOf(await issuer.tokenOf({ sub }))).toMatchObject({ sub: sub.toLowerCase() })
})

test('who is their own client is a partner, and has no roles whatever the token says', async () => {
  const { issuer, authenticator } = await start()
  const token = await issuer.tokenOf({ sub: 'acme', clientId: 'acme', roles: ['underwriter'], scopes: ['loans:read'] })
  expect(await authenticator.actorOf(token)).toEqual({
    kind: 'partner',
    sub: 'acme',
    roles: [],
    scopes: ['loans:read'],
  })
})

test('a client that is named as one is a partner under its own name, whatever its tokens call it', async () => {
  const { issuer } = await start()
  const authenticator = authenticatorOf(issuer, { OIDC_PARTNER_CLIENTS: 'globex, acme' })
  const token = (clientId: string) =>
    issuer.tokenOf({ sub: 'service-account-17', clientId, roles: ['underwriter'], scopes: ['loans:read'] })
  expect(await authenticator.actorOf(await token('acme'))).toEqual({
    kind: 'partner',
    sub: 'acme',
    roles: [],
    scopes: ['loans:read'],
  })
  expect(await authenticator.actorOf(await token('headwater-web'))).toMatchObject({ kind: 'person' })
})

test('a capability is for one thing', async () => {
  const { issuer, authenticator } = await start()
  expect(await authenticator.actorOf(await issuer.capabilityOf('1'))).toEqual({
    kind: 'capability',
    sub: 'loan:1',
    roles: [],
    scopes: ['loan:1'],
  })
})

test.each([
  ['a nested claim', { rolesClaim: 'realm_access.roles' }],
  ['another key type', { algorithm: 'RS256' }],
  ['another lifetime', { lifetimeSeconds: 24 * hour, algorithm: 'RS256' }],
] as const)('another issuer: %s', async (_what, options) => {
  const { issuer, authenticator } = await start(options)
  const { roles } = await authenticator.actorOf(await issuer.tokenOf({ roles: ['operator'] }))
  expect(roles).toEqual(['operator'])
})

test.each([
  ['a claim whose name has dots', 'https://x.test/roles', { 'https://x.test/roles': ['operator'] }, ['operator']],
  ['one text', 'groups', { groups: 'operator auditor' }, ['operator', 'auditor']],
  ['no such claim', 'a.b.c', { a: 'text' }, []],
  ['what every object has', 'constructor.name', {}, []],
  ['no texts', 'roles', { roles: [1, null, { a: 1 }] }, []],
])('roles are found or there are none: %s', async (_what, OIDC_ROLES_CLAIM, claims, expected) => {
  const { issuer } = await start()
  const { roles } = await authenticatorOf(issuer, { OIDC_ROLES_CLAIM }).actorOf(await issuer.tokenOf({ claims }))
  expect(roles).toEqual(expected)
})

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

const refused: Record<string, (issuer: TestIssuer) => Promise<string>> = {
  'no token at all': async () => 'nonsense',
  'too long': async (issuer) => issuer.tokenOf({ claims: { filler: 'x'.repeat(9_000) } }),
  expired: (issuer) => issuer.tokenOf({ claims: { iat: now() - hour, exp: now() - 31 } }),
  'without an end': (issuer) => issuer.tokenOf({ claims: { exp: undefined } }),
  'from the future': (issuer) => issuer.tokenOf({ claims: { iat: now() + 60 } }),
  'not valid yet': (issuer) => issuer.tokenOf({ claims: { nbf: now() + 60 } }),
  'for another audience': (issuer) => issuer.tokenOf({ claims: { aud: 'elsewhere' } }),
  'for no audience': (issuer) => issuer.tokenOf({ claims: { aud: undefined } }),
  'of another issuer': (issuer) => issuer.tokenOf({ claims: { iss: 'https://evil.test' } }),
  'of an issuer that is almost ours': (issuer) => issuer.tokenOf({ claims: { iss: `${issuer.url}/` } }),
  'of nobody': (issuer) => issuer.tokenOf({ claims: { sub: undefined } }),
  'of an empty name': (issuer) => issuer.tokenOf({ sub: '' }),
  'of a name that no store takes': (issuer) => issuer.tokenOf({ sub: 'u\u0000ma' }),
  'of a name with letters that look like others': (issuer) => issuer.tokenOf({ sub: 'um\u0430' }),
  'of no client': (issuer) => issuer.tokenOf({ claims: { client_id: undefined } }),
  'signed by a stranger': (issuer) => issuer.tokenOf({ key: issuer.strangeKey() }),
  'of a key nobody knows': (issuer) => issuer.tokenOf({ key: issuer.strangeKey(), header: { kid: 'unknown' } }),
  'with the key in its own header': (issuer) =>
    issuer.tokenOf({ key: issuer.strangeKey(), header: { kid: 'unknown', jku: 'https://evil.test/keys' } }),
  'an id token': (issuer) => issuer.tokenOf({ header: { typ: 'JWT' } }),
  'of no type': (issuer) => issuer.tokenOf({ header: { typ: undefined } as object }),
  unsigned: async (issuer) => {
    const [, claims] = (await issuer.tokenOf()).split('.')
    return `${base64({ alg: 'none', typ: 'at+jwt' })}.${claims}.`
  },
  'signed with the public key as if it were a secret': (issuer) =>
    issuer.tokenOf({
      header: { alg: 'HS256' },
      key: Buffer.from(issuer.publicKey().export({ format: 'pem', type: 'spki' })),
    }),
  tampered: async (issuer) => {
    const [header, claims = '', signature] = (await issuer.tokenOf()).split('.')
    const read = JSON.parse(Buffer.from(claims, 'base64url').toString())
    return [header, base64({ ...read, roles: ['underwriter'] }), signature].join('.')
  },
  'with a signature cut short': async (issuer) => (await issuer.tokenOf()).slice(0, -4),
  'a capability signed by a stranger': (issuer) => issuer.capabilityOf('1', { key: stranger }),
  'a capability that is over': (issuer) => issuer.capabilityOf('1', { claims: { iat: 1, exp: now() - 31 } }),
  'a capability for more than its one thing': (issuer) =>
    issuer.capabilityOf('1', { claims: { scope: 'loan:1 loan:2' } }),
  'a capability for another audience': (issuer) => issuer.capabilityOf('1', { claims: { aud: 'elsewhere' } }),
  "the gateway's key used in the issuer's name": (issuer) => issuer.capabilityOf('1', { claims: { iss: issuer.url } }),
  "the issuer's key used in the gateway's name": (issuer) =>
    issuer.tokenOf({ claims: { iss: 'headwater-gateway', scope: 'alice' } }),
}

describe.each(['ES256', 'RS256'] as const)('an issuer with %s keys', (algorithm) => {
  test.each(Object.keys(refused))('refused: %s', async (what) => {
    const { issuer, authenticator } = await start({ algorithm })
    const token = (await refused[what]?.(issuer)) ?? ''
    await expect(authenticator.actorOf(token)).rejects.toMatchObject(invalid)
  })
})

test('clocks may differ by half a minute', async () => {
  const { issuer, authenticator } = await start()
  for (const claims of [{ exp: now() - 20 }, { iat: now() + 20, nbf: now() + 20 }])
    expect(await authenticator.actorOf(await issuer.tokenOf({ claims }))).toMatchObject({ sub: 'alice' })
})

test('a token that was checked is over when it ends, and one that differs in a letter is another', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { issuer, authenticator } = await start({ lifetimeSeconds: 10 })
  const token = await issuer.tokenOf({ roles: ['underwriter'] })
  for (let times = 0; times < 3; times++) expect(await authenticator.actorOf(token)).toMatchObject({ sub: 'alice' })
  const other = token.slice(0, -2) + (token.endsWith('AA') ? 'QQ' : 'AA')
  await expect(authenticator.actorOf(other)).rejects.toMatchObject(invalid)
  vi.setSystemTime(Date.now() + 41_000)
  await expect(authenticator.actorOf(token)).rejects.toMatchObject(invalid)
})

test('a key that is not known is asked for once a minute, and no oftener', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { issuer, authenticator } = await start()
  await authenticator.actorOf(await issuer.tokenOf())
  expect(issuer.keyRequests()).toBe(1)
  issuer.rotate()
  const minuteMs = 60_000
  for (let times = 0; times < 20; times++)
    await expect(authenticator.actorOf(await issuer.tokenOf())).rejects.toMatchObject(invalid)
  expect(issuer.keyRequests()).toBe(1)
  vi.setSystemTime(Date.now() + minuteMs)
  expect(await authenticator.actorOf(await issuer.tokenOf())).toMatchObject({ sub: 'alice' })
  const unknown = () => issuer.tokenOf({ header: { kid: 'nonsense' } })
  for (let times = 0; times < 20; times++)
    await expect(authenticator.actorOf(await unknown())).rejects.toMatchObject(invalid)
  expect(issuer.keyRequests()).toBe(2)
})

describe('while the issuer is away', () => {
  test('who signed in is not recognised, capabilities are, and health says why; later all is well', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    const { issuer, authenticator } = await start({ port: await freePort() })
    await issuer.stop()
    const token = await issuer.tokenOf()
    const away = { status: 503, code: 'issuer_unavailable' }
    await expect(authenticator.actorOf(token)).rejects.toMatchObject(away)
    expect((await authenticator.status()).trouble).toMatch(`The issuer ${issuer.url} cannot be reached`)
    expect(await authenticator.actorOf(await issuer.capabilityOf('1'))).toMatchObject({ kind: 'capability' })
    await issuer.start()
    await expect(authenticator.actorOf(token)).rejects.toMatchObject(away) // not asked again at once
    vi.advanceTimersByTime(1_000)
    expect(await authenticator.actorOf(token)).toMatchObject({ sub: 'alice' })
    expect((await authenticator.status()).trouble).toBeUndefined()
  })

  test('keys that are known serve on', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { issuer, authenticator } = await start({ lifetimeSeconds: 2 * hour })
    const token = await issuer.tokenOf()
    await authenticator.actorOf(token)
    const unseen = await issuer.tokenOf({ sub: 'bob' })
    await issuer.stop()
    vi.setSystemTime(Date.now() + hour * 1_000)
    expect(await authenticator.actorOf(unseen)).toMatchObject({ sub: 'bob' })
    expect((await authenticator.status()).trouble).toMatch('cannot be reached')
    await expect(
      authenticator.actorOf(await issuer.tokenOf({ key: issuer.strangeKey(), header: { kid: 'other' } })),
    ).rejects.toMatchObject({ status: 503 })
  })
})

test('an issuer that calls itself something else is not trusted', async () => {
  const { issuer } = await start()
  const authenticator = authenticatorOf(issuer, { OIDC_ISSUER: issuer.url.replace('127.0.0.1', 'localhost') })
  expect((await authenticator.status()).trouble).toMatch(`is of the issuer ${issuer.url}`)
})

test.each([
  ['Bearer abc.def.ghi', 'abc.def.ghi'],
  ['bearer  abc', 'abc'],
  [undefined, undefined],
])('the authorization %j carries %j', (authorization, token) => {
  expect(bearerToken({ headers: { authorization } })).toBe(token)
})

test.each(['Basic YTpi', 'Bearer', 'Bearer ', 'Bearer a b', 'abc', ''])(
  'the authorization %j is refused',
  (authorization) => {
    expect(() => bearerToken({ headers: { authorization } })).toThrow(expect.objectContaining(invalid))
  },
)

test('keys of capabilities are P-256 keys in PEM, also where a file of variables holds no line breaks', async () => {
  const { issuer } = await start()
  const { CAPABILITY_PUBLIC_KEYS: pem } = issuer.env
  const keysOf = (text: string) => parseConfig(schema, { ...issuer.env, CAPABILITY_PUBLIC_KEYS: text })
  expect(keysOf(`${pem}${pem}`).CAPABILITY_PUBLIC_KEYS).toHaveLength(2)
  expect(keysOf(pem.replaceAll('\n', '\\n')).CAPABILITY_PUBLIC_KEYS).toHaveLength(1)
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const rsa = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  for (const wrong of ['nonsense', issuer.capabilityPrivateKey, rsa, pem.repeat(5)])
    expect(() => keysOf(wrong)).toThrow(/^CAPABILITY_PUBLIC_KEYS: up to 4/)
})
