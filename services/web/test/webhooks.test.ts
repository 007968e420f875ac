// What operators do about partners' webhooks: register, hand over a secret, see what arrived, tell again; with and without scripts.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, launchTimeoutMs } from '../../../scripts/test/browser.ts'
import { startSignedIn } from '../../../scripts/test/signed-in.ts'
import { application, nationalId, post, type System, startSystem, until } from '../../../scripts/test/system.ts'
import { expectUsable, openPage, ways } from './support.ts'

let browser: Browser
let system: System
let operator: Awaited<ReturnType<typeof startSignedIn>>
beforeAll(async () => {
  ;[browser, system] = await Promise.all([launchBrowser(), startSystem()])
  const token = await system.issuer.tokenOf({ sub: 'otto', roles: ['operator'] })
  operator = await startSignedIn(system.gateway.url, { authorization: `Bearer ${token}` })
}, launchTimeoutMs)
afterAll(async () => {
  await operator?.stop()
  await browser?.close()
  await system?.stop()
})

const open = (path: string, way = {}) => openPage(browser, `${operator.url}/operations/webhooks${path}`, way)
const receiver = () => `${system.sandbox.url}/partner/webhooks`

const tellSandbox = (path: string, body: object) =>
  fetch(`${receiver()}/${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
const arrived = async () => {
  const answer = await fetch(receiver())
  return ((await answer.json()) as { received: { outcome: string }[] }).received.length
}

let serial = 0
/** A partner applies, and is approved at once. */
const apply = async (partner: string) => {
  const token = await system.issuer.partnerTokenOf(partner, ['loans:write'])
  serial += 1
  const { status } = await post(`${system.gateway.url}/api/loans`, application(nationalId(9, 90_000 + serial)), {
    authorization: `Bearer ${token}`,
    'idempotency-key': crypto.randomUUID(),
  })
  expect(status).toBe(201)
}

describe.each(ways)('scripts $scripts, $width px', (way) => {
  it('registers a webhook, shows its secret once and what it was told, and tells it again', async () => {
    const partner = `partner-${way.scripts}-${way.width}`
    const { page, complaints } = await open('', way)
    await expectUsable(page, way)
    await page.getByLabel('Partner').fill(partner)
    await page.getByLabel('Address').fill('nowhere')
    await page.getByRole('button', { name: 'Register' }).click()
    await page.getByRole('heading', { name: 'Nothing was registered' }).waitFor()
    expect(await page.getByLabel('Partner').inputValue()).toBe(partner)
    await page.getByText('Give an address').waitFor()
    await expectUsable(page, way)

    await page.getByLabel('Address').fill(receiver())
    await page.getByRole('button', { name: 'Register' }).click()
    await page.getByRole('heading', { name: 'The secret, now and never again' }).waitFor()
    const secret = await page.locator('code').textContent()
    expect(secret).toMatch(/^whsec_/)
    await expectUsable(page, way)
    await tellSandbox('secret', { secret })

    await page.goto(`${operator.url}/operations/webhooks`)
    expect(await page.content()).not.toContain('whsec_')
    const before = await arrived()
    await apply(partner)
    await until('the outcome arrives', async () => (await arrived()) > before)
    await page.getByRole('link', { name: partner, exact: true }).click()
    await page.getByRole('heading', { name: `Webhook of ${partner}` }).waitFor()
    await page.getByRole('link', { name: 'Look again' }).click()
    const row = page.getByRole('row', { name: 'loan.approved' })
    await row.getByText('answered 204, first try').waitFor()
    await expectUsable(page, way)

    await row.getByRole('button', { name: /^Tell again/ }).click()
    await until('it arrives again', async () => (await arrived()) > before + 1)
    await expect
      .poll(async () => {
        await page.goto(page.url())
        return row.textContent()
      })
      .toContain('try 2')
    expect(complaints).toEqual([])
  })

  it('disables and enables, and replaces a secret', async () => {
    const partner = `changing-${way.scripts}-${way.width}`
    const token = await system.issuer.tokenOf({ sub: 'otto', roles: ['operator'] })
    const registered = await post(
      `${system.gateway.url}/api/webhooks`,
      { partner, url: receiver() },
      { authorization: `Bearer ${token}` },
    )
    const { page, complaints } = await open(`/${registered.body.id}`, way)
    await page.getByText('Nothing yet.').waitFor()
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled: told of nothing').waitFor()
    await page.getByRole('button', { name: 'Enable' }).click()
    await page.getByText('told of every outcome').waitFor()
    await page.getByRole('button', { name: 'Replace the secret' }).click()
    await page.getByRole('heading', { name: 'The secret, now and never again' }).waitFor()
    expect(await page.locator('code').textContent()).not.toBe(registered.body.secret)
    await expectUsable(page, way)
    expect(complaints).toEqual([])
  })
})

it('is shown to operators only', async () => {
  const path = '/operations/webhooks'
  const stranger = await fetch(system.gateway.url + path, { redirect: 'manual' })
  expect(stranger.headers.get('location')).toMatch(/^\/auth\/sign-in\?/)
  expect((await fetch(system.urlFor.underwriter + path)).status).toBe(403)
})
