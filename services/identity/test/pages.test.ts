// The issuer's pages in a real browser: wide and narrow, light and dark, with scripts and without, by axe.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AxeBuilder } from '@axe-core/playwright'
import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { person, startWorld } from './support.ts'

let browser: Browser
let world: Awaited<ReturnType<typeof startWorld>>
beforeAll(async () => {
  ;[browser, world] = await Promise.all([launchBrowser(), startWorld()])
  await world.start({ IDENTITY_DEMO: '1', IDENTITY_CLIENTS: JSON.stringify([await startApplication()]) })
}, launchTimeoutMs)
afterAll(async () => {
  await browser?.close()
  await world?.stop()
  application.server.close()
})

/** An application that people come back to: another origin, as the gateway is one. */
const application = { server: createServer((_request, response) => response.end('back again')), url: '' }
const startApplication = async () => {
  application.server.listen(0, '127.0.0.1')
  await once(application.server, 'listening')
  application.url = `http://127.0.0.1:${(application.server.address() as AddressInfo).port}/`
  return {
    id: 'pages',
    secret: 'a secret of the test of pages',
    redirectUris: [application.url],
    postLogoutRedirectUris: [application.url],
  }
}

const ways = [
  { scripts: true, width: 1280, dark: false },
  { scripts: false, width: 320, dark: true },
  ...(process.env.LONG_FORM
    ? [
        { scripts: true, width: 320, dark: true },
        { scripts: false, width: 1280, dark: false },
      ]
    : []),
]

const open = async ({ scripts, width, dark }: (typeof ways)[number]) => {
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
  })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    // A refused form is an answer with a status of its own, which browsers always mention.
    const mentionsStatus = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !mentionsStatus) complaints.push(message.text())
  })
  const verifierHash = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
  const query = { client_id: 'pages', response_type: 'code', redirect_uri: application.url, scope: 'openid' }
  const pkce = { code_challenge: verifierHash, code_challenge_method: 'S256' }
  await page.goto(`${world.issuer}/oidc/authorize?${new URLSearchParams({ ...query, ...pkce })}`)
  return { page, complaints }
}

const expectUsable = async (page: Page, scripts: boolean) => {
  const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  expect(overflow, `wider than the screen: ${await page.title()}`).toBe(0)
  if (!scripts) return
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}

describe.each(ways)('scripts $scripts, $width px, dark $dark', (way) => {
  test('a demo person signs in, after a wrong password, and is led back to the application', async () => {
    const { page, complaints } = await open(way)
    await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor()
    await page.getByText('People to try').waitFor()
    await expectUsable(page, way.scripts)
    const signIn = async (password: string) => {
      await page.getByLabel('User name').fill('uma')
      await page.getByLabel('Password', { exact: true }).fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
    }
    await signIn('not the right password')
    await page.getByText('The user name or the password is not right.').waitFor()
    expect(await page.getByLabel('User name').inputValue()).toBe('uma')
    expect(await page.getByLabel('Password', { exact: true }).inputValue()).toBe('')
    await expectUsable(page, way.scripts)
    await signIn('a stream of events')
    await page.getByText('back again').waitFor()
    expect(complaints).toEqual([])
  })

  test('somebody registers, sees their account, changes it, and signs out', async () => {
    const { page, complaints } = await open(way)
    await page.getByRole('link', { name: 'Create an account' }).click()
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByRole('heading', { name: '4 answers need another look' }).waitFor()
    await expectUsable(page, way.scripts)
    const who = person()
    await page.getByLabel('Full name').fill(who.name)
    await page.getByLabel('User name').fill(who.userName)
    await page.getByLabel('E-mail address').fill(who.email)
    await page.getByLabel('Password', { exact: true }).fill(who.password)
    await page.getByRole('button', { name: 'Create account' }).click()
    await page.getByText('back again').waitFor()

    await page.goto(`${world.issuer}/account`)
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
    await expectUsable(page, way.scripts)
    await page.getByLabel('Your password until now').fill(who.password)
    await page.getByLabel('New password').fill('another fine password')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByText('Your password is changed.').waitFor()
    await expectUsable(page, way.scripts)

    await page.getByRole('link', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign out of Headwater?' }).waitFor()
    await expectUsable(page, way.scripts)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
    await expectUsable(page, way.scripts)
    expect(complaints).toEqual([])
  })

  test('a link that is not right ends on a page that says so', async () => {
    const { page } = await open(way)
    await page.goto(`${world.issuer}/oidc/authorize?client_id=nobody`)
    await page.getByRole('heading', { name: 'This did not work' }).waitFor()
    await expectUsable(page, way.scripts)
  })
})
