// Signing in as applications do it, by the standard's own client: code with PKCE, tokens, refresh, client credentials, sign-out.
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  application,
  beginSignIn,
  callbackUrl,
  createBrowser,
  deadlineMs,
  discover,
  formOf,
  openSignIn,
  partner,
  person,
  register,
  signedOutUrl,
  startWorld,
} from './support.ts'

let world: Awaited<ReturnType<typeof startWorld>>
let identity: Awaited<ReturnType<typeof world.start>>
let client: oidc.Configuration
beforeAll(async () => {
  world = await startWorld()
  identity = await world.start()
  client = await discover(world.issuer)
}, 2 * deadlineMs)
afterAll(() => world?.stop())

const accessTokenSeconds = 600
const verified = async (token: string) => {
  const { jwks_uri: keys = '' } = client.serverMetadata()
  const options = { issuer: world.issuer, audience: 'headwater', algorithms: ['ES256'], typ: 'at+jwt' }
  return (await jwtVerify(token, createRemoteJWKSet(new URL(keys)), options)).payload
}

describe('code with PKCE', () => {
  test('registering ends signed in, with a token that says who it is and what for', async () => {
    const { who, tokens } = await register(createBrowser(world.issuer), client)
    const payload = await verified(tokens.access_token)
    const { sub = '', exp = 0, iat = 0 } = payload
    expect(payload).toMatchObject({ name: who.name, roles: [], client_id: application.id })
    expect(sub).toMatch(/^[\da-f-]{36}$/)
    expect(exp - iat).toBe(accessTokenSeconds)
    expect(tokens.claims()).toMatchObject({ sub, name: who.name })
    expect(tokens.refresh_token).toBeDefined()
    expect(JSON.stringify([payload, tokens.claims()])).not.toContain(who.email)
  })

  test('signing in again is the same person, and a second application asks no password of who is signed in', async () => {
    const { who, tokens } = await register(createBrowser(world.issuer), client)
    const browser = createBrowser(world.issuer)
    const first = await openSignIn(browser, client)
    const { out } = await browser.submit(first.action, { userName: who.userName.toUpperCase(), password: who.password })
    if (!out) throw new Error('not signed in')
    expect(out.href).toMatch(`${callbackUrl}?`)
    const signedIn = await first.redeem(out)
    expect(decodeJwt(signedIn.access_token).sub).toBe(decodeJwt(tokens.access_token).sub)

    const second = await beginSignIn(client)
    const { out: straight } = await browser.go(second.url)
    expect(decodeJwt((await second.redeem(straight as URL)).access_token).sub).toBe(decodeJwt(tokens.access_token).sub)
  })

  test('prompt=login asks a person who is signed in; prompt=none refuses one who is not', async () => {
    const browser = createBrowser(world.issuer)
    await register(browser, client)
    expect((await openSignIn(browser, client, { prompt: 'login' })).text).toContain('<h1>Sign in</h1>')
    const { url } = await beginSignIn(client, { prompt: 'none' })
    const { out } = await createBrowser(world.issuer).go(url)
    expect(out?.searchParams.get('error')).toBe('login_required')
  })

  test('a code is good once, without PKCE there is none, and with another verifier it is worth nothing', async () => {
    const browser = createBrowser(world.issuer)
    const { who } = await register(browser, client)
    const begun = await beginSignIn(client)
    const { out } = await browser.go(begun.url)
    await begun.redeem(out as URL)
    await expect(begun.redeem(out as URL)).rejects.toMatchObject({ error: 'invalid_grant' })

    const other = await beginSignIn(client)
    const { out: stolen } = await browser.go(other.url)
    const wrong = {
      pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
      expectedState: stolen?.searchParams.get('state') ?? '',
    }
    await expect(oidc.authorizationCodeGrant(client, stolen as URL, wrong)).rejects.toMatchObject({
      error: 'invalid_grant',
    })

    const plain = new URL((await beginSignIn(client)).url)
    plain.searchParams.delete('code_challenge')
    plain.searchParams.delete('code_challenge_method')
    expect((await browser.go(plain.href)).out?.searchParams.get('error')).toBe('invalid_request')
    expect(who.password).not.toBe('')
  })

  test('a refresh token is good once; used again, all that came of it ends', async () => {
    const { tokens } = await register(createBrowser(world.issuer), client)
    const next = await oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')
    expect(await verified(next.access_token)).toMatchObject({ sub: decodeJwt(tokens.access_token).sub, roles: [] })
    expect(next.refresh_token).not.toBe(tokens.refresh_token)
    await expect(oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    await expect(oidc.refreshTokenGrant(client, next.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  test('of two that refresh at once, at most one is served', async () => {
    const { tokens } = await register(createBrowser(world.issuer), client)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })
})

describe('client credentials', () => {
  test('a partner gets a token of its own for the scopes it is allowed', async () => {
    const own = await discover(world.issuer, partner)
    const { access_token: token, expires_in: seconds } = await oidc.clientCredentialsGrant(own, {
      scope: 'loans:write',
    })
    const payload = await verified(token)
    expect(payload).toMatchObject({ sub: partner.id, client_id: partner.id, scope: 'loans:write' })
    expect(payload).not.toHaveProperty('roles')
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
    expect(seconds).toBe(accessTokenSeconds)
  })

  test.each([
    ['consents:check', undefined],
    ['loans:write consents:check', 'loans:write'],
    ['openid loans:read', 'loans:read'],
  ])('asked for %s, it gives a partner what that one may have: %s', async (scope, granted) => {
    const own = await discover(world.issuer, partner)
    const answer = await oidc.clientCredentialsGrant(own, { scope })
    expect([answer.scope, (await verified(answer.access_token)).scope]).toEqual([granted, granted])
  })

  test('neither with a wrong secret nor for an application of people', async () => {
    const wrong = await discover(world.issuer, { ...partner, secret: 'not the secret of the partner' })
    await expect(oidc.clientCredentialsGrant(wrong)).rejects.toMatchObject({ error: 'invalid_client' })
    // So says the library; the standard has a name of its own for it.
    await expect(oidc.clientCredentialsGrant(client)).rejects.toMatchObject({ error: 'invalid_request' })
  })
})

describe('signing out', () => {
  test('asks, ends the session and its refresh tokens, and leads back where the client said', async () => {
    const browser = createBrowser(world.issuer)
    const { tokens } = await register(browser, client)
    const url = oidc.buildEndSessionUrl(client, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: signedOutUrl,
    })
    const { text, action, hidden } = await formOf((await browser.go(url.href)).answer)
    expect(text).toContain('Sign out of Headwater?')
    const { out } = await browser.submit(action, { ...hidden, logout: 'yes' })
    expect(out?.href).toBe(signedOutUrl)
    expect((await openSignIn(browser, client)).text).toContain('<h1>Sign in</h1>')
    await expect(oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })

  test('without a place to go back to, says so on a page', async () => {
    const browser = createBrowser(world.issuer)
    await register(browser, client)
    const { action, hidden } = await formOf((await browser.go('/oidc/sign-out')).answer)
    const { answer } = await browser.submit(action, { ...hidden, logout: 'yes' })
    expect(await answer.text()).toContain('You are signed out')
  })
})

test('what the gateway asks for: a nonce, offline access, and signing out by its name alone', async () => {
  const browser = createBrowser(world.issuer)
  const { who } = await register(createBrowser(world.issuer), client)
  const nonce = oidc.randomNonce()
  const more = { scope: 'openid profile offline_access', nonce }
  const { action, redeem } = await openSignIn(browser, client, more)
  const { out } = await browser.submit(action, who)
  const tokens = await redeem(out as URL, nonce)
  expect(tokens.claims()).toMatchObject({ nonce, name: who.name })
  expect(tokens.refresh_token).toBeDefined()
  const url = oidc.buildEndSessionUrl(client, { post_logout_redirect_uri: signedOutUrl })
  const form = await formOf((await browser.go(url.href)).answer)
  expect((await browser.submit(form.action, { ...form.hidden, logout: 'yes' })).out?.href).toBe(signedOutUrl)
})

describe('where people are sent', () => {
  test.each([
    'https://evil.example/auth/callback',
    'http://127.0.0.1:9/auth/callback.evil.example',
    'http://127.0.0.1:9/auth/callback/../../evil',
    'http://127.0.0.1:9@evil.example/',
  ])('never to a redirect_uri that is not registered: %s', async (redirect_uri) => {
    const { url } = await beginSignIn(client, { redirect_uri })
    const { out, answer } = await createBrowser(world.issuer).go(url)
    expect([out, answer.status]).toEqual([undefined, 400])
    expect(await answer.text()).toContain('This did not work')
  })

  test('never to a post_logout_redirect_uri that is not registered', async () => {
    const browser = createBrowser(world.issuer)
    const { tokens } = await register(browser, client)
    const url = oidc.buildEndSessionUrl(client, {
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: 'https://evil.example/',
    })
    const { out, answer } = await browser.go(url.href)
    expect([out, answer.status]).toEqual([undefined, 400])
    const unnamed = await browser.go('/oidc/sign-out?post_logout_redirect_uri=https%3A%2F%2Fevil.example%2F')
    const { action, hidden } = await formOf(unnamed.answer)
    expect((await browser.submit(action, { ...hidden, logout: 'yes' })).out).toBeUndefined()
  })

  test('never by a name or a proxy that the request claims', async () => {
    const answer = await fetch(`${identity.url}/.well-known/openid-configuration`, {
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    })
    const text = await answer.text()
    expect(text).not.toContain('evil')
    expect(JSON.parse(text)).toMatchObject({ issuer: world.issuer, token_endpoint: `${world.issuer}/oidc/token` })
  })
})

test('the second of two browsers does not get the first one’s sign-in', async () => {
  const { action } = await openSignIn(createBrowser(world.issuer), client)
  const { userName, password } = person()
  const { answer } = await createBrowser(world.issuer).submit(action, { userName, password })
  expect(answer.status).toBe(400)
  expect(await answer.text()).toContain('This page is too old')
})

test('hostile text in parameters and forms is refused, and is no failure of ours', async () => {
  const browser = createBrowser(world.issuer)
  const { url } = await beginSignIn(client)
  const { action } = await openSignIn(browser, client)
  const basic = `Basic ${Buffer.from(`${partner.id}:${partner.secret}`).toString('base64')}`
  for (const text of ['a\u0000b', '\u202e', '%ED%A0%80', 'x'.repeat(3_000)]) {
    const answers: Promise<Response>[] = []
    for (const name of new URL(url).searchParams.keys()) {
      const changed = new URL(url)
      changed.searchParams.set(name, text)
      answers.push(browser.visit(changed.href))
    }
    for (const name of ['scope', 'resource', 'code', 'refresh_token', 'grant_type'])
      answers.push(
        browser.post('/oidc/token', { grant_type: 'client_credentials', [name]: text }, { authorization: basic }),
      )
    for (const name of ['userName', 'password', 'name', 'email', 'key'])
      for (const target of [action, `${action}/register`])
        answers.push(browser.post(target, { ...person(), key: crypto.randomUUID(), [name]: text }))
    answers.push(browser.visit(`/sign-in/${encodeURIComponent(text)}`))
    for (const answer of await Promise.all(answers)) expect(answer.status, answer.url).toBeLessThan(500)
  }
  const spoilt = Buffer.from('userName=zo\xeb&password=%ff', 'latin1')
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' }
  const answer = await browser.visit(action, { method: 'POST', body: spoilt, headers })
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('not UTF-8')])
})
