// People sign in with the embedded issuer, with and without scripts, do their work, are refused what is not theirs, and sign out.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { demoPassword } from '../../services/identity/src/demo.ts'
import { launchBrowser, launchTimeoutMs } from './browser.ts'
import { freePorts, run, stop } from './npm-start.ts'
import { nationalId, post } from './system.ts'

const startMsMax = 90_000
const personMsMax = 60_000

let browser: Awaited<ReturnType<typeof launchBrowser>>
let home: string
let end: () => Promise<void>
beforeAll(async () => {
  browser = await launchBrowser()
  const data = mkdtempSync(path.join(tmpdir(), 'headwater-'))
  const ports = await freePorts()
  const { child, untilSaid } = run({ ...ports, DATA_DIRECTORY: data })
  home = `http://localhost:${ports.GATEWAY_PORT}`
  end = async () => {
    await stop(child)
    rmSync(data, { recursive: true, force: true })
  }
  await untilSaid('Headwater runs.')
}, launchTimeoutMs + startMsMax)
afterAll(async () => {
  await end()
  await browser.close()
}, startMsMax)

const signIn = async (page: Page, userName: string) => {
  await page.getByLabel(/user name/i).fill(userName)
  await page.getByLabel('Password', { exact: true }).fill(demoPassword)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

const applyFor = async (page: Page, amount: string, nationalId: string) => {
  await page.goto(`${home}/apply`)
  const answers = {
    'Full name': 'Ada Lovelace',
    Address: 'London',
    'National id': nationalId,
    'Amount in euros': amount,
  }
  for (const [label, text] of Object.entries(answers)) await page.getByLabel(label).fill(text)
  await page.getByRole('button', { name: 'Check your answers' }).click()
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('link', { name: 'See how it stands' }).click()
  await page.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
}

type Work = (page: Page, nationalId: string) => Promise<void>
const work: Readonly<Record<'uma' | 'otto' | 'ada' | 'alice', Work>> = {
  uma: async (page, nationalId) => {
    const applicant = { name: `Applicant ${nationalId}`, address: 'London', nationalId, amount: 5_000 }
    const { status, body } = await post(`${home}/api/loans`, applicant)
    expect(status).toBe(201)
    await page.goto(`${home}/underwriting/loans/${body.id}?after=${body.position}`)
    await page.getByLabel('Reason').fill('Steady income')
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('“Steady income”').waitFor()
  },
  otto: async (page, nationalId) => {
    await page.getByLabel('Partner').fill(`partner-${nationalId}`)
    await page.getByLabel('Address').fill('https://partner.example/headwater')
    await page.getByRole('button', { name: 'Register' }).click()
    await page.getByRole('heading', { name: 'The secret, now and never again' }).waitFor()
  },
  ada: async (page) => {
    await page.getByRole('heading', { name: 'Audit trail' }).waitFor()
  },
  alice: async (page, nationalId) => {
    await applyFor(page, '4000', nationalId)
    await page.getByText('Withdraw this application').click()
    await page.getByRole('button', { name: 'Withdraw it' }).click()
    await page.getByRole('heading', { name: 'Withdrawn by you' }).waitFor()
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Your applications' }).click()
    await page.getByRole('row', { name: '€4,000' }).first().waitFor()
  },
}

const people = [
  { userName: 'uma', name: 'Uma Underhill', own: '/underwriting?sort=amount', others: '/audit' },
  { userName: 'otto', name: 'Otto Operator', own: '/operations/webhooks', others: '/underwriting' },
  { userName: 'ada', name: 'Ada Auditor', own: '/audit', others: '/operations/webhooks' },
  { userName: 'alice', name: 'Alice Applegate', own: '/', others: '/underwriting' },
] as const
let serial = 40_000

test.each(people.flatMap((person) => [true, false].map((scripts) => ({ ...person, scripts }))))(
  '$userName signs in, works, is refused what is not theirs, and signs out, scripts $scripts',
  async ({ userName, name, own, others, scripts }) => {
    const context = await browser.newContext({ javaScriptEnabled: scripts })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(home + (own === '/' ? '/auth/sign-in' : own))
    await signIn(page, userName)
    await page.waitForURL(home + own)
    await page.getByRole('banner').getByText(name).waitFor()
    const cookies = await context.cookies(home)
    expect(cookies.find(({ name }) => name === 'headwater_session')).toMatchObject({ httpOnly: true, sameSite: 'Lax' })

    if (scripts) await page.locator('main[data-hydrated]').waitFor()
    await work[userName](page, nationalId(5, serial++))
    const refused = await page.goto(home + others)
    expect(refused?.status()).toBe(403)
    await page.getByText(`You are signed in as ${name}`).waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((url) => url.origin !== home)
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.waitForURL(`${home}/`)
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    expect((await context.cookies(home)).map(({ name }) => name)).not.toContain('headwater_session')
  },
  personMsMax,
)

test(
  'tells an open page that its session has ended, and leads back to it',
  async () => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${home}/underwriting`)
    await signIn(page, 'uma')
    await page.getByText('Live', { exact: true }).waitFor()
    const other = await context.newPage()
    await other.goto(home)
    await other.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('Your session has ended.').waitFor()
    await page.getByRole('link', { name: 'Sign in to go on' }).click()
    await page
      .getByText('Live', { exact: true })
      .or(page.getByLabel(/user name/i))
      .first()
      .waitFor()
  },
  personMsMax,
)

test('refuses a form that another site makes the browser send', async () => {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  await page.goto(`${home}/operations/webhooks`)
  await signIn(page, 'otto')
  await page.getByRole('heading', { name: 'Webhooks', exact: true }).waitFor()
  // The same machine under another name is another site.
  const elsewhere = home.replace('localhost', '127.0.0.1')
  await page.route(`${elsewhere}/trap`, (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${home}/operations/webhooks"><input name="partner" value="x"><button>Win</button></form>`,
    }),
  )
  await page.goto(`${elsewhere}/trap`)
  const [answer] = await Promise.all([
    page.waitForResponse(`${home}/operations/webhooks`),
    page.getByRole('button', { name: 'Win' }).click(),
  ])
  expect(answer.status()).toBe(403)
})
