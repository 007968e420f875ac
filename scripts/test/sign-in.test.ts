// `npm start` as a whole: people sign in, do their work, are refused what is not theirs, and sign out; and it goes on after crashes.
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import { startSignedIn } from '@headwater/test-kit/signed-in'
import { nationalId, post } from '@headwater/test-kit/system'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { demoPassword } from '../../services/identity/src/users/demo.ts'
import { demoTokens } from '../local/demo-tokens.ts'
import { freePorts, run, stop } from './npm-start.ts'

const startMsMax = 90_000
const personMsMax = 60_000

let browser: Awaited<ReturnType<typeof launchBrowser>>
let ports: Awaited<ReturnType<typeof freePorts>>
let running: ReturnType<typeof run>
let home: string
let end: () => Promise<void>
beforeAll(async () => {
  browser = await launchBrowser()
  const data = mkdtempSync(path.join(tmpdir(), 'headwater-'))
  ports = await freePorts()
  running = run({ ...ports, DATA_DIRECTORY: data })
  home = `http://localhost:${ports.GATEWAY_PORT}`
  end = async () => {
    await stop(running.child)
    rmSync(data, { recursive: true, force: true })
  }
  await running.untilSaid('Headwater runs.')
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

/** Without scripts the forms are the same for everybody: one of them, and all in the long form. */
const withoutScripts = process.env.LONG_FORM ? people : people.slice(-1)

test.each([
  ...people.map((person) => ({ ...person, scripts: true })),
  ...withoutScripts.map((person) => ({ ...person, scripts: false })),
])(
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

/** The process that runs a part. */
const pidOf = (child: ChildProcess, folder: string): number => {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number)
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`/${folder}/src/main.ts`))
  if (found === undefined) throw new Error(`${folder} does not run`)
  return found
}

test(
  'restarts what crashes, and stops all of it',
  async () => {
    const { child, untilSaid, output } = running
    const token = await demoTokens(`http://localhost:${ports.IDENTITY_PORT}`, home)('alice')
    const headers = { authorization: `Bearer ${token}` }
    const signedIn = await startSignedIn(home, headers)
    onTestFinished(signedIn.stop)
    /** One loan of an amount, however often it is asked for: what was not answered may have been done. */
    const requestLoan = (amount: number) =>
      fetch(`${home}/api/loans`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `${amount}`, ...headers },
        body: JSON.stringify({ name: 'Ada Lovelace', address: 'London', nationalId: '999999AA', amount }),
      })
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    await page.goto(signedIn.url)
    await page.getByText('Live', { exact: true }).waitFor()
    const untilRow = (amount: string) =>
      page.locator('tbody tr', { hasText: amount }).filter({ hasText: 'Approved' }).waitFor({ timeout: startMsMax })

    const created = await requestLoan(1_000)
    expect(created.status).toBe(201)
    await untilRow('€1,000')
    const after = created.headers.get('headwater-position')
    const read = await fetch(`${home}${created.headers.get('location')}?after=${after}`, { headers })
    expect(await read.json()).toMatchObject({ status: 'approved', amount: 1_000 })

    for (const [round, folder] of ['edge-projector', 'embedded-eventstore', 'gateway', 'loan'].entries()) {
      process.kill(pidOf(child, folder), 'SIGKILL')
      await untilSaid('ended by itself', round + 1)
      await expect
        .poll(async () => (await requestLoan(2_000 + round).catch(() => undefined))?.status, { timeout: startMsMax })
        .toBe(201)
      await untilRow(`€2,00${round}`)
    }

    await stop(child)
    expect(child.exitCode).toBe(0)
    expect(output()).toContain('stopping')
    for (const port of Object.values(ports)) await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow()
  },
  4 * startMsMax,
)
