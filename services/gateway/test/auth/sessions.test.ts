// A session: how long it lasts by Postgres' clock, how it is refreshed once among many gateways, and what is kept of it.
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { testDatabase } from '@headwater/test-kit/database'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { idleMinutesMax, openSessionDatabase, sessionHoursMax } from '../../src/auth/sign-in/sessions.ts'
import { openBrowser, startAuth, startSite } from './support.ts'

afterEach(() => void vi.useRealTimers())

const start = async () => {
  const started = await startAuth()
  const browser = openBrowser(started.site.url)
  await browser.signIn()
  const { client } = started.database
  const row = async () => (await client.query('select * from headwater.sessions')).rows[0]
  /** As if that much time had passed since. */
  const moveBack = (column: string, minutes: number) =>
    client.query(`update headwater.sessions set ${column} = ${column} - make_interval(mins => $1)`, [minutes])
  return { ...started, browser, client, row, moveBack }
}

test('is kept as a hash with its tokens encrypted: the table alone takes over no session', async () => {
  const { browser, row, issuer } = await start()
  const kept = await row()
  const text = JSON.stringify({ ...kept, sealed: kept.sealed.toString('latin1') })
  expect(text).not.toContain(browser.jar.get('headwater_session'))
  expect(text).not.toMatch(/eyJ|Uma/)
  expect(Object.keys(kept).sort()).toEqual([
    'created_at',
    'key',
    'refresh_at',
    'sealed',
    'seen_at',
    'sub',
    'token_expires_at',
  ])
  expect(issuer.counts.refreshes).toBe(0)
})

test('tokens moved to another row, or read with another key, open nothing', async () => {
  const { site, env, browser, client, issuer } = await start()
  const other = await startSite({ ...env, SESSION_KEY: 'another key of thirty-two letters', PUBLIC_URL: site.url })
  onTestFinished(other.close)
  const elsewhere = openBrowser(other.url)
  elsewhere.jar.set('headwater_session', browser.jar.get('headwater_session') ?? '')
  expect(await elsewhere.me()).toMatchObject({ signedIn: false })
  issuer.is({ sub: 'otto', roles: ['operator'] })
  const otto = openBrowser(site.url)
  await otto.signIn()
  await client.query(`update headwater.sessions set sealed = (select sealed from headwater.sessions where sub = 'uma')
                      where sub = 'otto'`)
  expect(await otto.me()).toMatchObject({ signedIn: false })
  expect(await browser.me()).toMatchObject({ signedIn: true })
})

test('ends after half an hour without requests, and lives on while there are some', async () => {
  const { browser, row, moveBack } = await start()
  await moveBack('seen_at', idleMinutesMax - 1)
  expect(await browser.me()).toMatchObject({ signedIn: true })
  // Having been there counts from now.
  await moveBack('seen_at', idleMinutesMax - 1)
  expect(await browser.me()).toMatchObject({ signedIn: true })
  await moveBack('seen_at', idleMinutesMax)
  expect(await browser.me()).toMatchObject({ signedIn: false })
  expect(await row()).toBeDefined()
})

test('ends after twelve hours, however busy', async () => {
  const { browser, moveBack } = await start()
  await moveBack('created_at', sessionHoursMax * 60 - 1)
  expect(await browser.me()).toMatchObject({ signedIn: true })
  await moveBack('created_at', 1)
  expect(await browser.me()).toMatchObject({ signedIn: false })
})

test.each(['nonsense', 'x'.repeat(43), '', `${'x'.repeat(42)}=`, "' or true --"])(
  'is not what somebody makes up: %j',
  async (secret) => {
    const { site } = await start()
    const stranger = openBrowser(site.url)
    stranger.jar.set('headwater_session', encodeURIComponent(secret))
    expect(await stranger.me()).toMatchObject({ status: 200, signedIn: false })
    expect((await stranger.get('/api/secret')).status).toBe(401)
  },
)

test('is refreshed before its token ends, once, though two gateways need it at once many times', async () => {
  const { site, env, browser, issuer, row, client } = await start()
  const second = await startSite({ ...env, PUBLIC_URL: site.url })
  onTestFinished(second.close)
  const elsewhere = openBrowser(second.url)
  elsewhere.jar.set('headwater_session', browser.jar.get('headwater_session') ?? '')
  const before = await row()
  await client.query('update headwater.sessions set refresh_at = now()')
  const { promise, resolve } = Promise.withResolvers<void>()
  issuer.manner.pause = promise
  const asked = [browser, elsewhere].flatMap((one) => Array.from({ length: 8 }, () => one.get('/api/secret')))
  // The issuer has been asked by one, and holds its answer back until the other gateway waits for the row.
  const waiting = async () =>
    (await client.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`))
      .rowCount
  while (issuer.counts.refreshes === 0 || (await waiting()) === 0) await new Promise(setImmediate)
  resolve()
  for (const answer of await Promise.all(asked)) expect(answer.status).toBe(200)
  expect(issuer.counts.refreshes).toBe(1)
  const after = await row()
  expect(after.sealed.equals(before.sealed)).toBe(false)
  expect(after.refresh_at > before.refresh_at).toBe(true)
})

test('whose refresh the issuer refuses is over', async () => {
  const { browser, issuer, row, client } = await start()
  issuer.manner.refreshes = false
  await client.query('update headwater.sessions set refresh_at = now()')
  expect(await browser.me()).toMatchObject({ status: 200, signedIn: false })
  expect(await row()).toBeUndefined()
})

test('is not over for a key of the issuer that is not known yet: 503 until the issuer may be asked for it', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { site, browser, issuer, client } = await start()
  expect((await browser.get('/api/secret')).status).toBe(200)
  issuer.rotate()
  await client.query('update headwater.sessions set refresh_at = now()')
  const answer = await browser.get('/api/secret')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ code: 'issuer_unavailable' })
  // Who sends a token of their own is told that it is none.
  const authorization = `Bearer ${await issuer.tokenOf({ roles: ['underwriter'] })}`
  expect((await fetch(`${site.url}/api/secret`, { headers: { authorization } })).status).toBe(401)
  vi.setSystemTime(Date.now() + 60_000)
  expect((await browser.get('/api/secret')).status).toBe(200)
})

test('goes on with the token it has while the issuer is away, and is 503 when that has ended, not signed out', async () => {
  const { browser, issuer, client } = await start()
  await browser.get('/api/secret')
  await issuer.stop()
  await client.query('update headwater.sessions set refresh_at = now()')
  expect((await browser.get('/api/secret')).status).toBe(200)
  await client.query('update headwater.sessions set token_expires_at = now()')
  const answer = await browser.get('/api/secret')
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).not.toBeNull()
  await issuer.start()
  // A moment passes before it is asked again.
  while ((await browser.get('/api/secret')).status === 503) await new Promise(setImmediate)
  expect(await browser.me()).toMatchObject({ signedIn: true })
})

test('is 503 while Postgres is away, not signed out; who has none is served', async () => {
  const { site, browser, database } = await start()
  const restore = await database.interrupt()
  const answer = await browser.get('/api/secret')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ code: 'sessions_unavailable' })
  expect((await browser.get('/auth/me')).status).toBe(503)
  expect((await browser.post('/auth/sign-out')).status).toBe(503)
  expect(browser.jar.has('headwater_session')).toBe(true)
  expect(await openBrowser(site.url).me()).toMatchObject({ status: 200, signedIn: false })
  await restore()
  expect(await browser.me()).toMatchObject({ signedIn: true })
})

test('can begin on a database that has nothing yet, on two gateways at once', async () => {
  const { site, env } = await startAuth()
  const second = await startSite({ ...env, PUBLIC_URL: site.url })
  onTestFinished(second.close)
  const browsers = [openBrowser(site.url), openBrowser(site.url)]
  await Promise.all(browsers.map((browser) => browser.signIn()))
  for (const browser of browsers) expect(await browser.me()).toMatchObject({ signedIn: true })
})

test('are prepared without a request, as soon as Postgres comes', async () => {
  const database = await testDatabase()
  onTestFinished(database.remove)
  const restore = await database.interrupt()
  const tables = openSessionDatabase(database.url, createLogger({ service: 'test', level: 'silent' }))
  onTestFinished(tables.close)
  expect(tables.status().trouble).toMatch('not prepared')
  await restore()
  await expect.poll(tables.status, { timeout: 20_000 }).toEqual({ trouble: undefined })
  expect((await database.client.query('select from headwater.sessions')).rows).toEqual([])
})
