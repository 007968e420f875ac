// What people do at the issuer itself, and what is kept from those who are not them.
import { readFileSync } from 'node:fs'
import { freePort } from '@headwater/test-kit/free-port'
import { until } from '@headwater/test-kit/system'
import { decodeJwt } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  anAddress,
  application,
  beginSignIn,
  createBrowser,
  deadlineMs,
  discover,
  formOf,
  openSignIn,
  person,
  register,
  startWorld,
} from './support.ts'

let world: Awaited<ReturnType<typeof startWorld>>
let identity: Awaited<ReturnType<typeof world.start>>
let replica: Awaited<ReturnType<typeof world.start>>
let client: oidc.Configuration
let peopleUrl: string
const peopleKey = 'a-key-of-the-tests-long-enough-for-a-key'
beforeAll(async () => {
  world = await startWorld()
  // Two at once: tables, keys and demo people are made once.
  const replicaPort = await world.replica()
  const peoplePort = await freePort()
  peopleUrl = `http://localhost:${peoplePort}/people/find`
  ;[identity, replica] = await Promise.all([
    world.start({ IDENTITY_DEMO: '1', PEOPLE_KEY: peopleKey, PEOPLE_PORT: String(peoplePort) }),
    world.start({ IDENTITY_DEMO: '1' }, replicaPort),
  ])
  client = await discover(world.issuer)
}, 2 * deadlineMs)
afterAll(() => world?.stop())

const demoPassword = 'a stream of events'
const signIn = async (userName: string, password = demoPassword) => {
  const browser = createBrowser(world.issuer)
  const { action, redeem } = await openSignIn(browser, client)
  const { out, answer } = await browser.submit(action, { userName, password })
  if (!out) throw new Error(`not signed in: ${answer.status}`)
  return { browser, tokens: await redeem(out) }
}
/** More than these tests write. */
const eventsMax = 1_000
const refused = { error: 'invalid_grant' }

describe('signing in', () => {
  test('a wrong name and a wrong password are answered alike', async () => {
    const { who } = await register(createBrowser(world.issuer), client)
    const answers = await Promise.all(
      [
        { userName: who.userName, password: 'not the right password' },
        { userName: 'zoe-nobody', password: 'not the right password' },
      ].map(async (fields) => {
        const browser = createBrowser(world.issuer)
        const { action } = await openSignIn(browser, client)
        const answer = await browser.post(action, fields)
        const uid = action.split('/').at(-1) ?? ''
        const text = (await answer.text()).replaceAll(uid, 'uid').replace(fields.userName, 'name')
        return { status: answer.status, headers: [...answer.headers.keys()].sort(), text }
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]).toMatchObject({ status: 422, text: expect.stringContaining('is not right') })
  })

  test('is in the audit trail, and so is a wrong password, by ids only', async () => {
    const { who } = await register(createBrowser(world.issuer), client)
    const { tokens } = await signIn(who.userName, who.password)
    const sub = tokens.claims()?.sub
    for (const userName of [who.userName, 'zoe-nobody-at-all']) {
      const browser = createBrowser(world.issuer)
      const { action } = await openSignIn(browser, client)
      await browser.post(action, { userName, password: 'not the right password' })
    }
    const stream = `audit-${new Date().toISOString().slice(0, 10)}`
    const written = async () =>
      (await world.store.readStream(stream, 0n, eventsMax)).filter(({ data }) =>
        JSON.stringify(data).includes(`"${sub}"`),
      )
    await until('the trail is written', async () => (await written()).length === 3, deadlineMs)
    const by = { actor: { kind: 'person', sub, roles: [] }, at: expect.any(String) }
    // Whoever registers is signed in.
    expect((await written()).map(({ type, data }) => ({ type, data }))).toEqual([
      { type: 'SignedIn', data: by },
      { type: 'SignedIn', data: by },
      { type: 'SignInFailed', data: by },
    ])
    const all = JSON.stringify((await world.store.readStream(stream, 0n, eventsMax)).map(({ data }) => data))
    expect(all).not.toMatch(/zoe|right password/)
  })

  /** @returns the statuses of so many wrong passwords, at both replicas in turns */
  const wrongly = async (userName: string, times: number, addressOf: (time: number) => string) => {
    const statuses: number[] = []
    for (let time = 0; time < times; time++) {
      const replicaUrl = time % 2 === 0 ? identity.url : replica.url
      const browser = createBrowser(world.issuer, replicaUrl, addressOf(time))
      const { action } = await openSignIn(browser, client)
      const answer = await browser.post(action, { userName, password: 'not the right password' })
      statuses.push(answer.status)
      if (answer.status !== 429) continue
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(await answer.text()).toContain('too many tries')
    }
    return statuses
  }
  const attempt = async (who: { readonly userName: string; readonly password: string }, address = anAddress()) => {
    const browser = createBrowser(world.issuer, world.issuer, address)
    const { action } = await openSignIn(browser, client)
    return (await browser.post(action, who)).status
  }

  test('is slowed down for a name at an address after 10 wrong passwords, over all replicas, whether or not there is such a user', async () => {
    const { who } = await register(createBrowser(world.issuer), client)
    const address = anAddress()
    for (const userName of [who.userName, 'zoe-nobody-either'])
      expect(await wrongly(userName, 11, () => address)).toEqual([...Array<number>(10).fill(422), 429])
    expect(await attempt(who, address)).toBe(429)
    // Whoever tried there has not locked out whom they tried to be.
    expect(await attempt(who)).toBe(303)
    const { rows } = await world.database.client.query('select key from headwater.sign_in_tries')
    expect(JSON.stringify(rows)).not.toMatch(/zoe|127\.0|::1/)
  })

  test('is slowed down for a name after 100 wrong passwords, wherever they come from', async () => {
    const { who } = await register(createBrowser(world.issuer), client)
    expect(await wrongly(who.userName, 101, anAddress)).toEqual([...Array<number>(100).fill(422), 429])
    expect(await attempt(who)).toBe(429)
  })

  test('registering is slowed down for an address, as the proxy tells it', async () => {
    const address = anAddress()
    const statuses: number[] = []
    for (let time = 0; time < 21; time++) {
      const browser = createBrowser(world.issuer, world.issuer, address)
      const { action } = await openSignIn(browser, client)
      const { hidden } = await formOf((await browser.go(`${action}/register`)).answer)
      // Of a name that is taken: that counts as well.
      statuses.push((await browser.post(`${action}/register`, { ...hidden, ...person(), userName: 'alice' })).status)
    }
    expect(statuses).toEqual([...Array<number>(20).fill(409), 429])
    await register(createBrowser(world.issuer), client)
  })

  test('registering with a taken name or address says nothing about which', async () => {
    const { who } = await register(createBrowser(world.issuer), client)
    const texts = await Promise.all(
      [{ userName: who.userName }, { email: who.email }].map(async (change) => {
        const browser = createBrowser(world.issuer)
        const { action } = await openSignIn(browser, client)
        const { hidden } = await formOf((await browser.go(`${action}/register`)).answer)
        const answer = await browser.post(`${action}/register`, { ...hidden, ...person(), ...change })
        expect(answer.status).toBe(409)
        return /<div class="summary" role="alert">.*<\/div>/.exec(await answer.text())?.[0]
      }),
    )
    expect(texts[0]).toContain('is taken')
    expect(texts[0]).toBe(texts[1])
  })

  test('what is wrong with a registration is said by field, the password is not sent back, and nothing is escaped from', async () => {
    const browser = createBrowser(world.issuer)
    const { action } = await openSignIn(browser, client)
    const { hidden } = await formOf((await browser.go(`${action}/register`)).answer)
    const wrong = { name: '"><script>alert(1)</script>', userName: 'a', email: 'x', password: 'short word' }
    const answer = await browser.post(`${action}/register`, { ...hidden, ...wrong })
    const text = await answer.text()
    expect(answer.status).toBe(422)
    for (const field of ['userName', 'email', 'password']) expect(text).toContain(`id="${field}-error"`)
    expect(text).not.toMatch(/<script|short word/)
    expect(text).toContain('&lt;script&gt;')
  })
})

describe('forms', () => {
  test.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour of the same site', { 'sec-fetch-site': 'same-site' }],
    ['another origin, in an old browser', { 'sec-fetch-site': '', origin: 'https://evil.example' }],
    ['nobody knows where', { 'sec-fetch-site': '', origin: '' }],
  ])('are refused from %s', async (_, { 'sec-fetch-site': site, origin }: Record<string, string>) => {
    const { browser } = await signIn('alice')
    const headers = { ...(site && { 'sec-fetch-site': site }), ...(origin && { origin }) }
    const { action } = await openSignIn(browser, client, { prompt: 'login' })
    for (const target of [action, `${action}/register`, '/account/email', '/account/password']) {
      const answer = await browser.visit(target, { method: 'POST', body: new URLSearchParams(), headers })
      expect(answer.status).toBe(403)
      expect(await answer.text()).toContain('This came from elsewhere')
    }
  })

  test('are taken from our own origin in a browser that does not say more', async () => {
    const browser = createBrowser(world.issuer)
    const { action } = await openSignIn(browser, client)
    const fields = new URLSearchParams({ userName: 'alice', password: demoPassword })
    const answer = await browser.visit(action, { method: 'POST', body: fields, headers: { origin: world.issuer } })
    expect(answer.status).toBe(303)
  })

  test('come with a policy without scripts, cannot be framed or kept, and cookies are for this server alone', async () => {
    const browser = createBrowser(world.issuer)
    const { url } = await beginSignIn(client)
    const first = await browser.visit(url)
    for (const cookie of first.headers.getSetCookie()) expect(cookie).toMatch(/httponly/i)
    for (const cookie of first.headers.getSetCookie()) expect(cookie).toMatch(/samesite=lax/i)
    const page = await browser.visit(first.headers.get('location') ?? '')
    const policy = page.headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"])
      expect(policy).toContain(part)
    expect(policy).not.toMatch(/script-src|unsafe/)
    expect(page.headers.get('cache-control')).toBe('no-store')
  })
})

test('what makes no sense is refused, and is nobody’s mistake here', async () => {
  const browser = createBrowser(world.issuer)
  const { action } = await openSignIn(browser, client)
  const { hidden } = await formOf((await browser.go(`${action}/register`)).answer)
  const odd = ['', '\0', '%', '\ud800', '__proto__', '🜁'.repeat(500), '{"a":1}', "' or 1=1 --", 'x'.repeat(60_000)]
  for (const text of odd) {
    const fields = { userName: text, password: text, name: text, email: text, key: text, __proto__: text, [text]: text }
    for (const target of [action, `${action}/register`, '/oidc/token'])
      for (const more of [
        {},
        { ...hidden, ...person() },
        { grant_type: text },
        { grant_type: 'refresh_token', client_id: text },
      ])
        expect((await browser.post(target, { ...fields, ...more })).status).toBeLessThan(500)
    const path = encodeURIComponent(text.slice(0, 1_000).toWellFormed())
    for (const target of [
      `/sign-in/${path}`,
      `/account?done=${path}`,
      `/oidc/authorize?client_id=${path}&prompt=${path}`,
    ])
      expect((await browser.visit(target)).status).toBeLessThan(500)
  }
  const json = await browser.visit(action, {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  })
  expect(json.status).toBe(403)
})

describe('the account page', () => {
  test('asks a stranger to sign in, and then shows who they are', async () => {
    const browser = createBrowser(world.issuer)
    const { action } = await formOf((await browser.go('/account')).answer)
    const { answer } = await browser.submit(action, { userName: 'otto', password: demoPassword })
    const text = await answer.text()
    for (const part of ['Your account', 'Otto Operator', 'otto@example.org', 'operator']) expect(text).toContain(part)
  })

  test('changes the password: the old one is worth nothing, and all other places are signed out', async () => {
    const here = createBrowser(world.issuer)
    const { who, tokens } = await register(here, client)
    const elsewhere = createBrowser(world.issuer)
    const { action, redeem } = await openSignIn(elsewhere, client)
    const { out } = await elsewhere.submit(action, who)
    const other = await redeem(out as URL)

    const next = 'another fine password'
    const wrong = await here.post('/account/password', { currentPassword: 'not the password', password: next })
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('This is not your password')])
    const { answer } = await here.submit('/account/password', { currentPassword: who.password, password: next })
    expect(await answer.text()).toContain('Your password is changed')

    await expect(signIn(who.userName, who.password)).rejects.toThrow('422')
    await signIn(who.userName, next)
    for (const { refresh_token: token = '' } of [tokens, other])
      await expect(oidc.refreshTokenGrant(client, token)).rejects.toMatchObject(refused)
    expect(await (await elsewhere.go('/account')).answer.text()).toContain('<h1>Sign in</h1>')
  })

  test('changes the e-mail address, with the password, to one that is free', async () => {
    const browser = createBrowser(world.issuer)
    const { who } = await register(browser, client)
    const { email } = person()
    const change = (fields: Record<string, string>) => browser.submit('/account/email', fields)
    const texts = async (fields: Record<string, string>) => (await change(fields)).answer.text()
    expect(await texts({ email, emailPassword: 'not the password' })).toContain('This is not your password')
    expect(await texts({ email: 'otto@example.org', emailPassword: who.password })).toContain('cannot be used')
    expect(await texts({ email, emailPassword: who.password })).toContain('Your e-mail address is changed')
    expect(await (await browser.go('/account')).answer.text()).toContain(email)
  })

  test('does not tell of address after address whether somebody has it', async () => {
    const browser = createBrowser(world.issuer)
    const { who } = await register(browser, client)
    const statuses: number[] = []
    for (let time = 0; time < 6; time++) {
      const fields = { email: 'otto@example.org', emailPassword: who.password }
      const answer = await browser.post('/account/email', fields)
      statuses.push(answer.status)
      if (answer.status === 429) expect(await answer.text()).toContain('too many tries')
    }
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429])
  })
})

/** As the consent service asks. */
const lookUp = async (id: string, key = peopleKey, url = peopleUrl) => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ id }) })
  return { status: answer.status, body: await answer.json().catch(() => undefined) }
}

test('the directory knows active people and their roles, and answers only to its key and at its own port', async () => {
  const { tokens } = await signIn('dora')
  const id = decodeJwt(tokens.access_token).sub ?? ''
  expect(await lookUp(id)).toEqual({ status: 200, body: { person: { roles: ['doctor'] } } })
  for (const unknown of ['b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11', 'dora'])
    expect(await lookUp(unknown)).toEqual({ status: 200, body: { person: null } })
  for (const key of ['another-key-of-the-tests-just-as-long', tokens.access_token])
    expect(await lookUp(id, key)).toMatchObject({ status: 401 })
  expect(await lookUp(id, peopleKey, `${identity.url}/people/find`)).toMatchObject({ status: 404 })
})

describe('disabling', () => {
  const disable = (id: string, token?: string) =>
    fetch(`${identity.url}/api/users/${id}/disable`, {
      method: 'POST',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })

  test('ends everything at once: no refresh, no session, no signing in', async () => {
    const browser = createBrowser(world.issuer)
    const { who, tokens } = await register(browser, client)
    const { sub = '' } = decodeJwt(tokens.access_token)
    const begun = await beginSignIn(client)
    const { out } = await browser.go(begun.url)
    const operator = await signIn('otto')
    const answer = await disable(sub, operator.tokens.access_token)
    expect([answer.status, await answer.json()]).toMatchObject([200, { id: sub, revision: '1' }])

    await expect(oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')).rejects.toMatchObject(refused)
    await expect(begun.redeem(out as URL)).rejects.toMatchObject(refused)
    expect((await openSignIn(browser, client)).text).toContain('<h1>Sign in</h1>')
    await expect(signIn(who.userName, who.password)).rejects.toThrow('422')
    expect((await disable(sub, operator.tokens.access_token)).status).toBe(200)
    expect(await lookUp(sub)).toMatchObject({ body: { person: null } })
  })

  test('is for operators, not for themselves, and not for nobody', async () => {
    const { tokens: alice } = await signIn('alice')
    const { tokens: otto } = await signIn('otto')
    const own = decodeJwt(otto.access_token).sub ?? ''
    expect((await disable(own)).status).toBe(401)
    expect((await disable(own, alice.access_token)).status).toBe(403)
    expect((await disable(own, alice.id_token)).status).toBe(401)
    expect(await (await disable(own, otto.access_token)).json()).toMatchObject({ status: 403, code: 'own_account' })
    const { status } = await disable('b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11', otto.access_token)
    expect(status).toBe(404)
  })
})

describe('demo people', () => {
  test.each([
    ['uma', ['underwriter']],
    ['otto', ['operator']],
    ['ada', ['auditor']],
    ['alice', []],
  ])('%s has the roles %j, once', async (userName, roles) => {
    const { tokens } = await signIn(userName)
    expect(decodeJwt(tokens.access_token)).toMatchObject({ roles, client_id: application.id })
    const { rows } = await world.database.client.query('select user_id from headwater.credentials')
    const own = rows.filter(({ user_id: id }) => id === decodeJwt(tokens.access_token).sub)
    expect(own).toHaveLength(1)
  })

  test('are shown with their password, and the demo partner gets tokens', async () => {
    const { text } = await openSignIn(createBrowser(world.issuer), client)
    for (const part of ['uma', 'otto', 'ada', 'alice', demoPassword]) expect(text).toContain(part)
    const own = await discover(world.issuer, { id: 'demo-partner', secret: 'development-only-demo-partner' })
    const { access_token: token } = await oidc.clientCredentialsGrant(own, { scope: 'loans:write loans:read' })
    expect(decodeJwt(token)).toMatchObject({ sub: 'demo-partner', scope: 'loans:write loans:read' })
  })
})

test('nothing that people typed is in the logs, and nothing in the database opens a door', async () => {
  const { tokens } = await signIn('alice')
  const said = identity.output() + replica.output()
  expect(said).toContain('answered')
  expect(said).not.toMatch(/example\.org|correct horse|stream of events|Quinn|zoe-|fine password/)
  expect(said).not.toContain(tokens.refresh_token ?? '')
  const { rows } = await world.database.client.query('select * from headwater.issuer_records')
  const { rows: keys } = await world.database.client.query('select * from headwater.issuer_keys')
  expect(keys).toHaveLength(1)
  expect(JSON.stringify([rows, keys])).not.toMatch(/"d"|redirectUri|example\.org/)
  expect(JSON.stringify(rows)).not.toContain(tokens.refresh_token ?? '')
})

test('the icon, the style and the fonts are its own', async () => {
  for (const name of ['identity.css', 'icon.svg', 'inter.woff2', 'source-serif.woff2'])
    expect((await fetch(`${identity.url}/assets/${name}`)).status).toBe(200)
  const style = readFileSync(new URL('../assets/identity.css', import.meta.url), 'utf8')
  expect(style).not.toMatch(/https?:|@import/)
})
