// People sign in with the embedded issuer, in a browser with and without scripts, come back to where they were, and sign out.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { demoPassword } from '../../services/identity/src/demo.ts'
import { launchBrowser, launchTimeoutMs } from './browser.ts'
import { freePorts, run, stop } from './npm-start.ts'

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

it.each([
  { userName: 'uma', name: 'Uma Underhill', scripts: true, sees: 'queue' },
  { userName: 'uma', name: 'Uma Underhill', scripts: false, sees: 'queue' },
  { userName: 'otto', name: 'Otto Operator', scripts: false, sees: 'refusal' },
  { userName: 'ada', name: 'Ada Auditor', scripts: true, sees: 'refusal' },
  { userName: 'alice', name: 'Alice Applegate', scripts: true, sees: 'refusal' },
])(
  '$userName signs in and out, scripts $scripts, and of the queue sees the $sees',
  async ({ userName, name, scripts, sees }) => {
    const context = await browser.newContext({ javaScriptEnabled: scripts })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.goto(`${home}/underwriting?sort=amount`)
    await page.getByLabel(/user name/i).fill(userName)
    await page.getByLabel('Password', { exact: true }).fill(demoPassword)
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.url() === `${home}/underwriting?sort=amount`),
      page.getByRole('button', { name: 'Sign in', exact: true }).click(),
    ])
    expect(answer.status()).toBe(sees === 'queue' ? 200 : 403)
    await page.getByText(name).waitFor()
    const cookies = await context.cookies(home)
    expect(cookies.find(({ name }) => name === 'headwater_session')).toMatchObject({ httpOnly: true, sameSite: 'Lax' })
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL((url) => url.origin !== home)
    await page.goto(home)
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
    expect((await context.cookies(home)).map(({ name }) => name)).not.toContain('headwater_session')
  },
  personMsMax,
)
