// Signing in and out in a browser without scripts: what it is sent, what it keeps, and what nobody can make of that.
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { parseSetCookie } from 'cookie'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { localPath } from '../../src/auth/local-path.ts'
import { openBrowser, startAuth, startSite } from './support.ts'

describe('signing in', () => {
  test('goes to the issuer and back to where one was', async () => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    expect(await browser.me()).toEqual({ status: 200, signedIn: false, roles: [], loans: [] })
    const back = await browser.signIn('/underwriting?sort=amount#row')
    expect(back.status).toBe(303)
    expect(back.headers.get('location')).toBe('/underwriting?sort=amount#row')
    expect(await browser.me()).toMatchObject({ signedIn: true, name: 'Uma Underwriter', roles: ['underwriter'] })
    expect(await (await browser.get('/api/secret')).json()).toMatchObject({ kind: 'person', sub: 'uma' })
    expect(await site.people.namesOf(['uma', 'vera', null])).toEqual(new Map([['uma', 'Uma Underwriter']]))
    expect([await site.people.find('uma'), await site.people.find('vera')]).toEqual([
      { roles: ['underwriter'] },
      undefined,
    ])
  })

  test('shows no name from the issuer that is invisible or changes the writing direction', async () => {
    const { site, issuer } = await startAuth()
    const sub = '6F1B58F0-37A5-4C53-8A4B-0D8C5C9D6A01'
    for (const name of ['\u200b\u200b', 'Uma \u202e', 'a\u0000b']) {
      issuer.is({ sub, name, roles: [] })
      const browser = openBrowser(site.url)
      await browser.signIn()
      expect(await browser.me()).toMatchObject({ signedIn: true, name: sub.toLowerCase() })
    }
  })

  test('asks the issuer with a challenge, a state and a nonce, new each time', async () => {
    const { site } = await startAuth()
    const asked = await Promise.all(
      [1, 2].map(async () => {
        const answer = await openBrowser(site.url).get('/auth/sign-in')
        return new URL(answer.headers.get('location') ?? '').searchParams
      }),
    )
    for (const query of asked)
      expect(Object.fromEntries(query)).toMatchObject({
        response_type: 'code',
        code_challenge_method: 'S256',
        redirect_uri: `${site.url}/auth/callback`,
      })
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(new Set(asked.map((query) => query.get(name))).size).toBe(2)
  })

  test('leaves a cookie that scripts cannot read, other sites do not send, and that says nothing', async () => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    await browser.signIn()
    const cookies = browser.setCookies.map((text) => parseSetCookie(text))
    for (const cookie of cookies) expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'lax', path: '/' })
    expect(cookies.filter(({ maxAge }) => maxAge !== 0).map(({ name }) => name)).toEqual([
      'headwater_sign_in',
      'headwater_session',
    ])
    expect(browser.jar.get('headwater_session')).toMatch(/^[\w-]{43}$/)
    expect([...browser.jar.keys()]).toEqual(['headwater_session'])
    expect(cookies.every(({ domain }) => domain === undefined)).toBe(true)
  })

  test('over TLS marks its cookies so that no other host and no plain connection brings them', async () => {
    const { env } = await startAuth()
    const site = await startSite({ ...env, PUBLIC_URL: 'https://headwater.example' })
    onTestFinished(site.close)
    const answer = await fetch(`${site.url}/auth/sign-in?moved=`, { redirect: 'manual' })
    const [cookie] = answer.headers.getSetCookie().map((text) => parseSetCookie(text))
    expect(cookie).toMatchObject({ name: '__Host-headwater_sign_in', secure: true, path: '/', httpOnly: true })
    expect(cookie?.domain).toBeUndefined()
  })

  test('gives a new session to a browser that brings one, and ends the old one', async () => {
    const { site, issuer } = await startAuth()
    const [attacker, victim] = [openBrowser(site.url), openBrowser(site.url)]
    await attacker.signIn()
    const planted = attacker.jar.get('headwater_session') ?? ''
    victim.jar.set('headwater_session', planted)
    issuer.is({ sub: 'otto', roles: ['operator'] })
    await victim.signIn()
    expect(victim.jar.get('headwater_session')).not.toBe(planted)
    expect(await victim.me()).toMatchObject({ name: 'otto', roles: ['operator'] })
    expect(await attacker.me()).toMatchObject({ signedIn: false })
  })

  test('is not taken over from another browser: the code is worth nothing without the cookie of the first', async () => {
    const { site } = await startAuth()
    const [attacker, victim] = [openBrowser(site.url), openBrowser(site.url)]
    const toCallback = await attacker.follow(await attacker.get('/auth/sign-in'))
    const planted = toCallback.headers.get('location') ?? ''
    // Nothing was begun there, or something else was.
    expect((await victim.get(planted)).status).toBe(400)
    await victim.get('/auth/sign-in')
    expect((await victim.get(planted)).status).toBe(400)
    expect(await victim.me()).toMatchObject({ signedIn: false })
  })

  test.each([
    ['another state', (query: URLSearchParams) => query.set('state', 'other')],
    ['no code', (query: URLSearchParams) => query.delete('code')],
    ['two codes', (query: URLSearchParams) => query.append('code', 'other')],
    [
      'an error',
      (query: URLSearchParams) => {
        query.delete('code')
        query.set('error', 'access_denied')
      },
    ],
  ])('with %s is a page that offers to begin again', async (_what, change) => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    const toCallback = await browser.follow(await browser.get('/auth/sign-in?returnTo=/apply'))
    const callback = new URL(toCallback.headers.get('location') ?? '')
    change(callback.searchParams)
    const answer = await browser.get(callback.href)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('/auth/sign-in?returnTo=%2Fapply')
    expect(await browser.me()).toMatchObject({ signedIn: false })
  })

  test('takes a code once', async () => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    const toCallback = await browser.follow(await browser.get('/auth/sign-in'))
    const begun = browser.jar.get('headwater_sign_in') ?? ''
    expect((await browser.follow(toCallback)).status).toBe(303)
    browser.jar.clear()
    browser.jar.set('headwater_sign_in', begun)
    expect((await browser.follow(toCallback)).status).toBe(400)
    expect(await browser.me()).toMatchObject({ signedIn: false })
  })

  test('with an id token of another sign-in is refused', async () => {
    const { site, issuer } = await startAuth()
    issuer.manner.nonce = 'of another sign-in'
    const browser = openBrowser(site.url)
    expect((await browser.signIn()).status).toBe(400)
    expect(await browser.me()).toMatchObject({ signedIn: false })
  })

  test('tells the operator, not the person, that the issuer gives opaque access tokens', async () => {
    const lines: string[] = []
    const logger = createLogger({ service: 'test', level: 'info' }, { write: (line) => void lines.push(line) })
    const { site, issuer } = await startAuth({ logger })
    issuer.manner.opaque = true
    const browser = openBrowser(site.url)
    const answer = await browser.signIn()
    expect(answer.status).toBe(502)
    expect(await answer.text()).toContain('not set up right')
    expect(lines.join()).toContain('signed JWTs (RFC 9068')
    expect(await browser.me()).toMatchObject({ signedIn: false })
  })

  test('begins under the public name, from whichever name it is asked', async () => {
    const { site } = await startAuth()
    const other = site.url.replace('127.0.0.1', 'localhost')
    const answer = await fetch(`${other}/auth/sign-in?returnTo=/apply`, { redirect: 'manual' })
    expect(answer.headers.get('location')).toBe(`${site.url}/auth/sign-in?returnTo=%2Fapply&moved=`)
    expect(answer.headers.getSetCookie()).toEqual([])
  })

  test('says in words that the issuer, or Postgres, is away', async () => {
    const { site, issuer, database, env } = await startAuth()
    const browser = openBrowser(site.url)
    const toCallback = await browser.follow(await browser.get('/auth/sign-in'))
    const restore = await database.interrupt()
    expect((await browser.follow(toCallback)).status).toBe(503)
    await restore()
    await issuer.stop()
    const fresh = await startSite(env)
    onTestFinished(fresh.close)
    const answer = await fetch(`${fresh.url}/auth/sign-in`)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('content-type')).toContain('text/html')
    expect(answer.headers.get('retry-after')).not.toBeNull()
  })
})

describe('returnTo', () => {
  test.each([
    '//evil.test',
    '/\\evil.test',
    '\\/evil.test',
    'https://evil.test',
    'javascript:alert(1)',
    '/\t/evil.test',
    '/\n/evil.test',
    '\u0000//evil.test',
    '/.//evil.test',
    '/..//evil.test',
    '/%2e//evil.test',
    'evil.test',
    '',
    '/auth/sign-out',
    '/auth/sign-in?returnTo=/auth/sign-in',
  ])('%j leads to the start', async (returnTo) => {
    expect(localPath(returnTo)).toBe('/')
  })

  test('never leads to another site, whatever it says', () => {
    const parts = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2f',
      '%5c',
      '\t',
      '\n',
      '@',
      ':',
      'evil.test',
      'https:',
      '?',
      '#',
      ' ',
    )
    const text = fc.oneof(
      fc.array(parts, { maxLength: 8 }).map((some) => some.join('')),
      fc.string({ unit: 'binary' }),
      fc.webUrl(),
    )
    fc.assert(
      fc.property(text, (returnTo) => {
        const path = localPath(`/${returnTo}`)
        expect(new URL(path, 'https://headwater.example').origin).toBe('https://headwater.example')
        expect(path).toMatch(/^\/(?![/\\])/)
      }),
    )
  })

  test('keeps a page with its question', () => {
    expect(localPath('/underwriting?sort=amount&direction=desc')).toBe('/underwriting?sort=amount&direction=desc')
  })

  test('is checked when signing in begins, and cannot be changed after', async () => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    expect((await browser.signIn('//evil.test')).headers.get('location')).toBe('/')
  })
})

describe('signing out', () => {
  test('ends the session for every gateway, forgets the cookie, and goes on to the issuer', async () => {
    const { site, env } = await startAuth()
    const second = await startSite({ ...env, PUBLIC_URL: site.url })
    onTestFinished(second.close)
    const browser = openBrowser(site.url)
    await browser.signIn()
    const secret = browser.jar.get('headwater_session') ?? ''
    const elsewhere = openBrowser(second.url)
    elsewhere.jar.set('headwater_session', secret)
    expect(await elsewhere.me()).toMatchObject({ signedIn: true })
    const answer = await browser.post('/auth/sign-out')
    expect(answer.status).toBe(200)
    const page = await answer.text()
    expect(page).toContain('http-equiv="refresh"')
    expect(page).toContain(`post_logout_redirect_uri=${encodeURIComponent(`${site.url}/`)}`)
    expect(browser.jar.has('headwater_session')).toBe(false)
    expect(await elsewhere.me()).toMatchObject({ signedIn: false })
    expect((await elsewhere.get('/api/secret')).status).toBe(401)
  })

  test('goes to the home page where the issuer has no sign-out', async () => {
    const { site } = await startAuth({ endSession: false })
    const browser = openBrowser(site.url)
    await browser.signIn()
    const answer = await browser.post('/auth/sign-out')
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('/')
  })

  test('is nothing that a link or another site can do', async () => {
    const { site } = await startAuth()
    const browser = openBrowser(site.url)
    await browser.signIn()
    expect((await browser.get('/auth/sign-out')).status).toBe(404)
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      {},
      { origin: 'null' },
    ]
    for (const headers of foreign) expect((await browser.post('/auth/sign-out', headers)).status).toBe(403)
    expect(await browser.me()).toMatchObject({ signedIn: true })
  })
})
