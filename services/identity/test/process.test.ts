// Identity as a process: what outlives a restart, what it waits for, and what it refuses to start with.

import { ConfigError, parseConfig } from '@headwater/http-kit/config'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import * as oidc from 'openid-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { config } from '../src/config.ts'
import { beginSignIn, createBrowser, deadlineMs, discover, openSignIn, register, startWorld } from './support.ts'

const start = async () => {
  const world = await startWorld()
  onTestFinished(world.stop)
  return world
}

test('keys, sessions, grants and a sign-in that was begun outlive a crash', { timeout: 3 * deadlineMs }, async () => {
  const world = await start()
  const first = await world.start()
  const client = await discover(world.issuer)
  const [signedIn, signingIn] = [createBrowser(world.issuer), createBrowser(world.issuer)]
  const { who, tokens } = await register(signedIn, client)
  const { action, redeem } = await openSignIn(signingIn, client)
  await first.kill()

  await world.start()
  const next = await oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')
  expect(decodeProtectedHeader(next.access_token).kid).toBe(decodeProtectedHeader(tokens.access_token).kid)
  const again = await beginSignIn(client)
  const { out: straight } = await signedIn.go(again.url)
  const { sub } = decodeJwt(tokens.access_token)
  expect(decodeJwt((await again.redeem(straight as URL)).access_token).sub).toBe(sub)
  const { out } = await signingIn.submit(action, who)
  expect(decodeJwt((await redeem(out as URL)).access_token).sub).toBe(sub)
})

test('without the demo there are no demo people and no demo clients', { timeout: 2 * deadlineMs }, async () => {
  const world = await start()
  await world.start()
  const client = await discover(world.issuer)
  const browser = createBrowser(world.issuer)
  const { text, action } = await openSignIn(browser, client)
  expect(text).not.toMatch(/People to try|uma|a stream of events/)
  const answer = await browser.post(action, { userName: 'uma', password: 'a stream of events' })
  expect(answer.status).toBe(422)
  const partner = await discover(world.issuer, { id: 'demo-partner', secret: 'development-only-demo-partner' })
  await expect(oidc.clientCredentialsGrant(partner)).rejects.toMatchObject({ error: 'invalid_client' })
})

test('started before Postgres answers, it lives, says what it lacks, and gets ready by itself', {
  timeout: 2 * deadlineMs,
}, async () => {
  const world = await start()
  const comeBack = await world.database.interrupt()
  const url = await world.startUnready()
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({
    status: 'starting',
    parts: { postgres: { trouble: expect.any(String) }, issuer: { trouble: expect.any(String) } },
  })
  for (const path of ['/.well-known/openid-configuration', '/account']) {
    const answer = await fetch(url + path)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  }
  await comeBack()
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: deadlineMs }).toBe(200)
  expect((await fetch(`${url}/.well-known/openid-configuration`)).status).toBe(200)
})

describe('settings', () => {
  const right = { IDENTITY_KEY: 'k'.repeat(32), IDENTITY_COOKIE_KEYS: `${'c'.repeat(32)},${'d'.repeat(32)}` }
  const production = { ...right, NODE_ENV: 'production', IDENTITY_ISSUER: 'https://identity.example' }

  test('are few where nothing is special', () => {
    expect(parseConfig(config, right)).toMatchObject({
      PORT: 8086,
      IDENTITY_ISSUER: 'http://localhost:8086',
      OIDC_AUDIENCE: 'headwater',
      IDENTITY_DEMO: false,
      IDENTITY_COOKIE_KEYS: ['c'.repeat(32), 'd'.repeat(32)],
    })
    expect(parseConfig(config, production).IDENTITY_DEMO).toBe(false)
  })

  const secret = 'a secret that no message may hold'
  test.each([
    ['no key', { IDENTITY_KEY: '' }, 'IDENTITY_KEY'],
    ['a short key', { IDENTITY_KEY: 'short' }, 'IDENTITY_KEY'],
    ['a short cookie key', { IDENTITY_COOKIE_KEYS: `${'c'.repeat(32)},short` }, 'IDENTITY_COOKIE_KEYS'],
    ['the demo in production', { ...production, IDENTITY_DEMO: '1' }, 'IDENTITY_DEMO: must not be set in production'],
    ['http in production', { ...production, IDENTITY_ISSUER: 'http://x' }, 'IDENTITY_ISSUER: must be https'],
    ['an issuer with a path', { IDENTITY_ISSUER: 'https://example.org/identity' }, 'without a path'],
    ['clients that are not JSON', { IDENTITY_CLIENTS: `[${secret}` }, 'IDENTITY_CLIENTS: is not JSON'],
    ['a file that is not there', { IDENTITY_CLIENTS_FILE: '/nowhere' }, 'cannot be read'],
    ['clients twice', { IDENTITY_CLIENTS: '[]', IDENTITY_CLIENTS_FILE: '/dev/null' }, 'IDENTITY_CLIENTS_FILE'],
    [
      'two clients of one id',
      {
        IDENTITY_CLIENTS: JSON.stringify([
          { id: 'one', secret },
          { id: 'one', secret },
        ]),
      },
      'the same id',
    ],
    [
      'a short secret',
      { IDENTITY_CLIENTS: JSON.stringify([{ id: 'one', secret: 'short' }]) },
      'IDENTITY_CLIENTS.0.secret',
    ],
  ])('refused: %s', (_, change, message) => {
    const parse = () => parseConfig(config, { ...right, ...change })
    expect(parse).toThrow(ConfigError)
    expect(parse).toThrow(message)
    expect(parse).not.toThrow(secret)
  })
})

test('behind TLS its cookies are for TLS and this host alone', { timeout: 2 * deadlineMs }, async () => {
  const world = await start()
  const { url } = await world.start({ IDENTITY_ISSUER: 'https://identity.example' })
  const query = {
    client_id: 'headwater-account',
    response_type: 'none',
    redirect_uri: 'https://identity.example/account',
  }
  const ask = async (target: string) => {
    const { headers } = await fetch(url + target, { redirect: 'manual' })
    return headers.getSetCookie()
  }
  const cookies = await ask(`/oidc/authorize?${new URLSearchParams({ ...query, scope: 'openid' })}`)
  const ofSession = (await ask('/oidc/sign-out')).filter((cookie) => cookie.includes('identity_session'))
  expect([cookies.length > 0, ofSession.length > 0]).toEqual([true, true])
  for (const cookie of [...cookies, ...ofSession]) expect(cookie).toMatch(/; secure; httponly/i)
  for (const cookie of ofSession) expect(cookie).toMatch(/^__Host-identity_session(\.sig)?=.*path=\/;(?!.*domain)/i)
  expect(await (await fetch(`${url}/.well-known/openid-configuration`)).json()).toMatchObject({
    issuer: 'https://identity.example',
    jwks_uri: 'https://identity.example/oidc/keys',
  })
})
