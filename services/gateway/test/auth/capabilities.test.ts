// What an applicant without an account holds: good for one loan, in one browser, and brought to another by a link, once.
import { randomUUID } from 'node:crypto'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { parseSetCookie } from 'cookie'
import { decodeJwt } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fetched, openBrowser, ownPage, startAuth, startSite } from './support.ts'

const start = async (options: Parameters<typeof startAuth>[0] = {}) => {
  const started = await startAuth(options)
  const browser = openBrowser(started.site.url)
  const loanId = randomUUID()
  /** The browser holds a capability as if it had applied. */
  const hold = async (id: string, changes: Parameters<typeof started.issuer.capabilityOf>[1] = {}) =>
    browser.jar.set(`headwater_loan_${id}`, await started.issuer.capabilityOf(id, changes))
  const held = async (id: string) => {
    const answer = await browser.post(`/api/things/${id}`)
    return { status: answer.status, ...((await answer.json()) as { held?: string[] }) }
  }
  return { ...started, browser, loanId, hold, held }
}

describe('a capability', () => {
  test('is known by its cookie, for its own loan', async () => {
    const { browser, loanId, hold, held } = await start()
    await hold(loanId)
    expect(await held(loanId)).toEqual({ status: 200, held: [`loan:${loanId}`] })
    expect(await browser.me()).toEqual({ status: 200, signedIn: false, roles: [], loans: [loanId] })
  })

  test.each([
    ['that has run out', { claims: { exp: Math.floor(Date.now() / 1_000) - 60 } }],
    ['for another audience', { claims: { aud: 'elsewhere' } }],
    ['that is no access token', { header: { typ: 'JWT' } }],
    ['for more than one loan', { claims: { scope: 'loan:* loans:read' } }],
  ])('%s is as good as none', async (_what, changes) => {
    const { browser, loanId, hold, held } = await start()
    await hold(loanId, changes)
    expect((await held(loanId)).status).toBe(401)
    expect(await browser.me()).toMatchObject({ loans: [] })
  })

  test('that was tampered with, signed with another key, or put under the name of another loan is as good as none', async () => {
    const { browser, loanId, hold, held, issuer } = await start()
    await hold(loanId)
    const [header, , signature] = (browser.jar.get(`headwater_loan_${loanId}`) ?? '').split('.')
    const other = randomUUID()
    const claims = Buffer.from(JSON.stringify({ sub: `loan:${other}`, scope: `loan:${other}` })).toString('base64url')
    browser.jar.set(`headwater_loan_${other}`, `${header}.${claims}.${signature}`)
    browser.jar.set(`headwater_loan_${randomUUID()}`, browser.jar.get(`headwater_loan_${loanId}`) ?? '')
    browser.jar.set(`headwater_loan_${randomUUID()}`, 'nonsense')
    expect(await browser.me()).toMatchObject({ loans: [loanId] })
    await hold(loanId, { key: issuer.strangeKey() })
    expect((await held(loanId)).status).toBe(401)
  })

  test('stays beside a session, which comes first', async () => {
    const { browser, loanId, hold, held } = await start()
    await hold(loanId)
    await browser.signIn()
    expect((await held(loanId)).held).toEqual(['uma', `loan:${loanId}`])
  })

  test('works while Postgres and the issuer are away', async () => {
    const { database, issuer, loanId, hold, held } = await start()
    await hold(loanId)
    await issuer.stop()
    const restore = await database.interrupt()
    expect((await held(loanId)).status).toBe(200)
    await restore()
  })
})

describe('the link to come back', () => {
  const endsAfterSeconds = 600
  const newLink = async ({ browser, loanId, hold }: Awaited<ReturnType<typeof start>>) => {
    await hold(loanId, { claims: { exp: Math.floor(Date.now() / 1_000) + endsAfterSeconds } })
    const answer = await browser.post(`/api/loans/${loanId}/link`, fetched)
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    return (await answer.json()) as { url: string; expiresAt: string }
  }

  test('lets another browser in once, at a clean address', async () => {
    const started = await start()
    const { site, loanId } = started
    const begunMs = Date.now()
    const { url } = await newLink(started)
    expect(url).toMatch(new RegExp(`^${site.url}/auth/link/[\\w-]{43}$`))
    const phone = openBrowser(site.url)
    const page = await phone.get(url)
    expect(page.status).toBe(200)
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(await page.text()).toContain('method="post"')
    const opened = await phone.post(url)
    expect(opened.status).toBe(303)
    expect(opened.headers.get('location')).toBe(`/applications/${loanId}`)
    expect(opened.headers.get('referrer-policy')).toBe('no-referrer')
    expect(await phone.me()).toMatchObject({ loans: [loanId] })
    const cookie = parseSetCookie(phone.setCookies.at(-1) ?? '')
    expect(cookie).toMatchObject({ name: `headwater_loan_${loanId}`, httpOnly: true, sameSite: 'lax' })
    expect(cookie.maxAge).toBeLessThanOrEqual(endsAfterSeconds)
    expect(cookie.maxAge).toBeGreaterThanOrEqual(endsAfterSeconds - Math.ceil((Date.now() - begunMs) / 1_000) - 1)
    const stranger = openBrowser(site.url)
    expect((await stranger.post(url)).status).toBe(410)
    expect(await stranger.me()).toMatchObject({ loans: [] })
  })

  test('gives no more time than its maker had, also through a link made from a link', async () => {
    const started = await start()
    const { loanId, site } = started
    const endOf = (browser: ReturnType<typeof openBrowser>) =>
      decodeJwt(browser.jar.get(`headwater_loan_${loanId}`) ?? '').exp
    const { url, expiresAt } = await newLink(started)
    expect(Date.parse(expiresAt)).toBe((endOf(started.browser) ?? 0) * 1_000)
    const phone = openBrowser(site.url)
    await phone.post(url)
    expect(endOf(phone)).toBe(endOf(started.browser))
    const again = (await (await phone.post(`/api/loans/${loanId}/link`, fetched)).json()) as { url: string }
    const tablet = openBrowser(site.url)
    await tablet.post(again.url)
    expect(endOf(tablet)).toBe(endOf(started.browser))
  })

  test('is not used up by what only looks at it', async () => {
    const started = await start()
    const { url } = await newLink(started)
    for (const method of ['GET', 'HEAD', 'GET']) await fetch(url, { method })
    expect((await openBrowser(started.site.url).post(url)).status).toBe(303)
  })

  test('opens once also when it is followed twice at the same moment', async () => {
    const started = await start()
    const { url } = await newLink(started)
    const answers = await Promise.all([1, 2, 3].map(() => openBrowser(started.site.url).post(url)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 410, 410])
  })

  test('runs out, and newer ones push out old ones', async () => {
    const started = await start()
    const { url } = await newLink(started)
    await started.database.client.query('update headwater.return_links set expires_at = now()')
    expect((await openBrowser(started.site.url).post(url)).status).toBe(410)
    const links = []
    for (let n = 0; n < 6; n++) links.push((await newLink(started)).url)
    const phone = openBrowser(started.site.url)
    expect((await phone.post(links[0] ?? '')).status).toBe(410)
    expect((await phone.post(links[5] ?? '')).status).toBe(303)
  })

  test('is made only for a loan whose capability one holds', async () => {
    const started = await start()
    const { browser, loanId, hold, site } = started
    expect((await openBrowser(site.url).post(`/api/loans/${loanId}/link`, fetched)).status).toBe(401)
    await hold(loanId)
    expect((await browser.post(`/api/loans/${randomUUID()}/link`, fetched)).status).toBe(404)
    await browser.signIn()
    expect((await browser.post(`/api/loans/${randomUUID()}/link`, fetched)).status).toBe(404)
    expect((await browser.post(`/api/loans/${loanId}/link`, fetched)).status).toBe(201)
  })

  test('cannot be planted in a browser by another site, and needs no origin to be said', async () => {
    const started = await start()
    const { url } = await newLink(started)
    const phone = openBrowser(started.site.url)
    expect((await phone.post(url, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await phone.post(url, { origin: 'null' })).status).toBe(303)
  })

  test.each(['nonsense', 'x'.repeat(43), '%00', '..%2f..'])('is refused when it is made up: %s', async (code) => {
    const { site } = await start()
    expect((await openBrowser(site.url).post(`/auth/link/${code}`)).status).toBe(410)
  })

  test('keeps its code out of the log and out of the table', async () => {
    const lines: string[] = []
    const logger = createLogger({ service: 'test', level: 'trace' }, { write: (line) => void lines.push(line) })
    const started = await start({ logger })
    const { url } = await newLink(started)
    const code = url.split('/').at(-1) ?? ''
    const { rows } = await started.database.client.query('select * from headwater.return_links')
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows)).not.toContain(code)
    const phone = openBrowser(started.site.url)
    await phone.get(url)
    await phone.post(url)
    await phone.post(url)
    const restore = await started.database.interrupt()
    expect((await phone.post(url)).status).toBe(503)
    await restore()
    expect(lines.length).toBeGreaterThan(4)
    expect(lines.join('')).not.toContain(code)
  })
})

test('a browser keeps the ten newest; over TLS their cookies are secure', async () => {
  const { env, issuer } = await start()
  const site = await startSite({ ...env, PUBLIC_URL: 'https://headwater.example' })
  onTestFinished(site.close)
  const browser = openBrowser(site.url)
  const [oldest = '', ...others] = Array.from({ length: 10 }, () => randomUUID())
  for (const [age, id] of [oldest, ...others].entries()) {
    const iat = Math.floor(Date.now() / 1_000) - 3_600 + age
    browser.jar.set(`__Host-headwater_loan_${id}`, await issuer.capabilityOf(id, { claims: { iat } }))
  }
  const phone = openBrowser(site.url)
  const eleventh = randomUUID()
  phone.jar.set(`__Host-headwater_loan_${eleventh}`, await issuer.capabilityOf(eleventh))
  const { url } = (await (await phone.post(`/api/loans/${eleventh}/link`, fetched)).json()) as { url: string }
  const answer = await browser.post(new URL(url).pathname, ownPage)
  const cookies = answer.headers.getSetCookie().map((text) => parseSetCookie(text))
  expect(cookies).toMatchObject([
    { name: `__Host-headwater_loan_${oldest}`, maxAge: 0 },
    { name: `__Host-headwater_loan_${eleventh}`, secure: true, path: '/' },
  ])
})
