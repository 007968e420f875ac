// What operators do about partners' webhooks: register, hand over a secret, see what arrived, tell again; with and without scripts.

import { application, nationalId, post, until } from '@headwater/test-kit/system'
import { describe, expect, test } from 'vitest'
import { expectUsable, testWorld, untilHydrated, ways } from './support.ts'

const world = testWorld({ without: ['consent', 'dashboard-projector'] })

const open = (path: string, way = {}) => world.open(`/operations/webhooks${path}`, way, 'operator')
const receiver = () => `${world.system.sandbox.url}/partner/webhooks`

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
  const token = await world.system.issuer.partnerTokenOf(partner, ['loans:write'])
  serial += 1
  const { status } = await post(world.urlOf('/api/loans'), application(nationalId(9, 90_000 + serial)), {
    authorization: `Bearer ${token}`,
    'idempotency-key': crypto.randomUUID(),
  })
  expect(status).toBe(201)
}

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('registers a webhook, shows its secret once and its deliveries, and resends one', async () => {
    const partner = `partner-${way.scripts}-${way.width}`
    const page = await open('', way)
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

    await page.goto(world.urlOf('/operations/webhooks', 'operator'))
    expect(await page.content()).not.toContain('whsec_')
    const before = await arrived()
    await apply(partner)
    await until('the outcome arrives', async () => (await arrived()) > before)
    await page.getByRole('link', { name: partner, exact: true }).click()
    await page.getByRole('heading', { name: `Webhook of ${partner}` }).waitFor()
    await page.getByRole('link', { name: 'Look again' }).click()
    const row = page.getByRole('row', { name: 'loan.approved' })
    // That it arrived is noted after the partner has answered.
    const noted = async () => {
      await page.goto(page.url())
      return row.textContent()
    }
    await expect.poll(noted).toContain('answered 204, first try')
    if (way.scripts) await untilHydrated(page)
    await expectUsable(page, way)

    await row.getByRole('button', { name: /^Tell again/ }).click()
    await until('it arrives again', async () => (await arrived()) > before + 1)
    await expect.poll(noted).toContain('try 2')
  })

  test('disables and enables, and replaces a secret', async () => {
    const partner = `changing-${way.scripts}-${way.width}`
    const registered = await post(world.urlOf('/api/webhooks', 'operator'), { partner, url: receiver() })
    const page = await open(`/${registered.body.id}`, way)
    await page.getByText('Nothing yet.').waitFor()
    await page.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled: told of nothing').waitFor()
    await page.getByRole('button', { name: 'Enable' }).click()
    await page.getByText('told of every outcome').waitFor()
    await page.getByRole('button', { name: 'Replace the secret' }).click()
    await page.getByRole('heading', { name: 'The secret, now and never again' }).waitFor()
    expect(await page.locator('code').textContent()).not.toBe(registered.body.secret)
    await expectUsable(page, way)
  })
})
