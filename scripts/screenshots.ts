// `npm run screenshots`: pictures of every page and state into docs/screenshots, of the system that `npm start` runs and `npm run seed` filled.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { launchBrowser } from '@headwater/test-kit/browser'
import type { Page } from 'playwright-core'
import { demoPassword } from '../services/identity/src/users/demo.ts'
import { createWebServer } from '../services/web/src/web-server.ts'
import { makePictured } from './screenshots/pictured.ts'

const { url, issuer, eventstore, only } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:8080' },
    issuer: { type: 'string', default: 'http://localhost:8086' },
    eventstore: { type: 'string', default: 'esdb://localhost:2113?tls=false' },
    /** Retakes the pictures whose names begin so, and leaves the others as they are. */
    only: { type: 'string', default: '' },
  },
}).values
const pictured = await makePictured(url, issuer)
const { waiting, approved, declined, withdrawn, long, patientId, loanWith, decide } = pictured
const root = path.join(import.meta.dirname, '..')
const folder = path.join(root, 'docs', 'screenshots')
const heightMax = { wide: 900, narrow: 1_400 }

const looks = [
  { look: 'wide', width: 1280, colorScheme: 'light' },
  { look: 'narrow', width: 320, colorScheme: 'light' },
  { look: 'dark', width: 1280, colorScheme: 'dark' },
] as const

const hydrated = (page: Page) => page.locator('main[data-hydrated]').waitFor()
const answer = async (page: Page, amount: string, nationalId = '555555 AA') => {
  for (const [label, text] of [
    ['Full name', 'Ada Lovelace'],
    ['Address', '12 St James Square, London'],
    ['National id', nationalId],
    ['Amount in euros', amount],
  ] as const)
    await page.getByLabel(label).fill(text)
  await page.getByRole('button', { name: 'Check your answers' }).click()
  await hydrated(page)
}
const send = async (page: Page, nationalId: string, amount = '12,500') => {
  await answer(page, amount, nationalId)
  await page.getByRole('button', { name: 'Send application' }).click()
}
const search = async (page: Page, name: string) => {
  await page.getByLabel('Name or reference').fill(name)
  await page.keyboard.press('Enter')
}
const click = (name: string) => (page: Page) => page.getByRole('button', { name }).click()

const signIn = async (page: Page, userName: string) => {
  await page.getByLabel(/user name/i).fill(userName)
  await page.getByLabel('Password', { exact: true }).fill(demoPassword)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await hydrated(page)
}

type Shot = {
  readonly name: string
  readonly at: string
  /** Who is signed in, where it is not who the page is for. */
  readonly who?: string
  readonly act?: (page: Page) => Promise<void>
}

const owners = [
  { start: '/underwriting', who: 'uma' },
  { start: '/audit', who: 'ada' },
  { start: '/operations', who: 'otto' },
  { start: '/applications', who: 'alice' },
  { start: '/consents/patients', who: 'dora' },
  { start: '/consents', who: 'paula' },
] as const
const visitorOf = ({ at, who }: Shot) => who ?? owners.find(({ start }) => at.startsWith(start))?.who
const shots: readonly Shot[] = [
  { name: 'home', at: '/' },
  { name: 'apply', at: '/apply' },
  { name: 'apply-errors', at: '/apply', act: (page) => answer(page, 'ten') },
  { name: 'apply-check', at: '/apply', act: (page) => answer(page, '€ 12,500') },
  {
    name: 'apply-refused',
    at: '/apply',
    act: async (page) => {
      await send(page, waiting.nationalId)
      await page.getByRole('heading', { name: 'You have an application that is still open' }).waitFor()
    },
  },
  { name: 'received', at: `/applications/${waiting.id}/received` },
  { name: 'application', at: `/applications/${waiting.id}` },
  {
    name: 'application-withdraw',
    at: `/applications/${waiting.id}`,
    act: (page) => page.getByText('Withdraw this application').click(),
  },
  { name: 'application-approved', at: `/applications/${approved.id}` },
  { name: 'application-declined', at: `/applications/${declined.id}` },
  { name: 'application-withdrawn', at: `/applications/${withdrawn.id}` },
  { name: 'underwriting', at: '/underwriting' },
  { name: 'underwriting-keyboard', at: '/underwriting', act: click('Keyboard') },
  {
    name: 'underwriting-paused',
    at: '/underwriting',
    act: async (page) => {
      await click('Pause')(page)
      const { id } = await loanWith(5, Math.floor(Math.random() * 99_999))
      await page.getByRole('button', { name: '1 new: show' }).waitFor()
      await decide(id, 'deny')
    },
  },
  {
    name: 'underwriting-searched',
    at: '/underwriting',
    act: async (page) => {
      await search(page, 'nobody of this name')
      await page.getByText('Nobody who waits fits this filter.').waitFor()
    },
  },
  {
    name: 'underwriting-long',
    at: '/underwriting',
    act: async (page) => {
      await search(page, 'wolfeschlegel')
      await page.locator('tbody tr').nth(1).waitFor({ state: 'detached' })
    },
  },
  { name: 'underwriting-loan-long', at: `/underwriting/loans/${long.id}` },
  { name: 'underwriting-decided', at: '/underwriting/decided' },
  { name: 'underwriting-numbers', at: '/underwriting/numbers' },
  {
    name: 'underwriting-numbers-table',
    at: '/underwriting/numbers',
    act: (page) => page.getByText('As a table').first().click(),
  },
  { name: 'underwriting-loan', at: `/underwriting/loans/${waiting.id}` },
  { name: 'underwriting-loan-decided', at: `/underwriting/loans/${approved.id}` },
  { name: 'underwriting-loan-past', at: `/underwriting/loans/${approved.id}?asOf=1` },
  {
    name: 'underwriting-loan-overtaken',
    at: '/underwriting',
    act: async (page) => {
      const { id } = await loanWith(5, Math.floor(Math.random() * 99_999))
      await page.goto(`${url}/underwriting/loans/${id}`)
      await page.getByText('Live', { exact: true }).waitFor()
      await decide(id, 'approve')
      await page.getByText('There is nothing left to decide').waitFor()
      await page.getByRole('heading', { name: 'Approved by' }).waitFor()
    },
  },
  { name: 'home-applicant', at: '/', who: 'alice' },
  { name: 'audit', at: '/audit' },
  { name: 'operations', at: '/operations' },
  { name: 'webhooks', at: '/operations/webhooks' },
  {
    name: 'webhook-registered',
    at: '/operations/webhooks',
    act: async (page) => {
      await page.getByLabel('Partner').fill('demo-partner')
      await page.getByLabel('Address').fill('https://partner.example/headwater')
      await click('Register')(page)
      await page.getByRole('heading', { name: 'The secret, now and never again' }).waitFor()
    },
  },
  { name: 'consents', at: '/consents' },
  {
    name: 'consents-refused',
    at: '/consents',
    act: async (page) => {
      await page.getByLabel('Their id').fill(patientId)
      await click('Let them see it')(page)
      await page.getByRole('alert').waitFor()
    },
  },
  {
    name: 'consents-history',
    at: '/consents',
    act: async (page) => {
      await page.getByRole('link', { name: 'History with Dora Doctor' }).click()
      await page.getByRole('heading', { name: 'History with Dora Doctor' }).waitFor()
    },
  },
  { name: 'consents-patients', at: '/consents/patients' },
  { name: 'forbidden', at: '/underwriting', who: 'otto' },
  {
    name: 'session-ended',
    at: `/underwriting/loans/${waiting.id}`,
    act: async (page) => {
      await page.getByLabel('Reason').fill('Steady income')
      await page.context().clearCookies()
      await click('Approve')(page)
      await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    },
  },
  {
    name: 'link',
    at: '/apply',
    act: async (page) => {
      await send(page, `5${String(Math.floor(Math.random() * 99_999)).padStart(5, '0')}YY`)
      await page.getByRole('link', { name: 'Make a link to open it elsewhere' }).click()
      await click('Make a link')(page)
      await page.getByLabel('Your link').waitFor()
    },
  },
  { name: 'not-found', at: '/nowhere' },
  { name: 'not-understood', at: '/underwriting?sort=nonsense' },
  {
    name: 'offline',
    at: '/',
    act: async (page) => {
      await page.context().setOffline(true)
      await page.getByText('You are offline.').waitFor()
    },
  },
]

const parkedShot: Shot = {
  name: 'operations-parked',
  at: '/operations',
  act: async (page) => {
    await page.getByText('Go on without it').first().click()
    await page.getByRole('heading', { name: 'Parked' }).evaluate('node => node.scrollIntoView()')
  },
}

const take = async (page: Page, name: string) => {
  const { width = 0 } = page.viewportSize() ?? {}
  const full = Number(await page.evaluate('document.documentElement.scrollHeight'))
  const clip = { x: 0, y: 0, width, height: Math.min(full, heightMax[width < 400 ? 'narrow' : 'wide']) }
  // What lies over a page lies over the part of it that is on the screen.
  const isCovered = (await page.locator('dialog[open]').count()) > 0 || name.startsWith(parkedShot.name)
  await page.screenshot({ path: path.join(folder, `${name}.png`), ...(isCovered ? {} : { fullPage: true, clip }) })
}

const logger = createLogger({ service: 'pictures', level: 'silent' })
/** Pages whose questions nobody answers. */
const starved = await createWebServer({ gatewayUrl: 'http://127.0.0.1:1', logger })
const starvedUrl = await starved.listen({ port: 0, host: '127.0.0.1' })
const standIn = (file: string) => readFileSync(path.join(root, 'services/gateway/assets', file))

const isWanted = ({ name }: Shot) => name.startsWith(only)
if (only === '') rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const browser = await launchBrowser()
// Whoever has signed in once is known by name.
for (const userName of ['paula', 'dora', 'nils']) {
  const page = await browser.newPage()
  await page.goto(`${url}/auth/sign-in`)
  await signIn(page, userName)
  await page.close()
}
type Look = (typeof looks)[number]
const takeShot = async (shot: Shot, { look, width, colorScheme }: Look) => {
  const { name, at, act } = shot
  const who = visitorOf(shot)
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(url + (who ? `/auth/sign-in?${new URLSearchParams({ returnTo: at })}` : at))
  if (who) await signIn(page, who)
  await hydrated(page)
  const connection = page.locator('.connection')
  if ((await connection.count()) > 0) await connection.getByText('Live', { exact: true }).waitFor()
  await act?.(page)
  await take(page, `${name}-${look}`)
  await context.close()
}
for (const as of looks) {
  const { look, width, colorScheme } = as
  for (const shot of shots.filter(isWanted)) await takeShot(shot, as)
  if (only !== '') continue
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
  await page.goto(`${url}/auth/sign-in`)
  await page.getByLabel(/user name/i).waitFor()
  await take(page, `sign-in-${look}`)
  await page.goto(`${starvedUrl}/underwriting`)
  await hydrated(page)
  await take(page, `unavailable-${look}`)
  await page.route('**/*', (route) => {
    const isStyle = route.request().url().endsWith('.css')
    const [file, contentType] = isStyle ? ['unavailable.css', 'text/css'] : ['unavailable.html', 'text/html']
    return route.fulfill({ body: standIn(file), contentType })
  })
  await page.goto(`${url}/`)
  await take(page, `pages-away-${look}`)
  await page.close()
}
// Last: pages say that something is missing while an event is parked.
if (isWanted(parkedShot)) {
  await pictured.park(eventstore, waiting.id)
  for (const as of looks) await takeShot(parkedShot, as)
  await pictured.skipParked()
}
await decide(long.id, 'withdraw')
await browser.close()
await starved.close()
console.log(`${readdirSync(folder).length} pictures are in ${path.relative(process.cwd(), folder)}.`)
