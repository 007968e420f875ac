// What auditors see of what others do: searched for by a form, followed from fact to fact, with and without scripts.

import { nationalId, post, underwriter } from '@headwater/test-kit/system'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { expectUsable, testWorld, untilRead, ways } from './support.ts'

const world = testWorld({ without: ['consent', 'jobs'] })
let loanId: string
const applicant = {
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: nationalId(5, 71_000),
  amount: 5_000,
}

beforeAll(async () => {
  const requested = await post(world.urlOf('/api/loans'), applicant)
  expect(requested.status).toBe(201)
  loanId = String(requested.body.id)
  // Every page that is opened from here on shows it.
  await untilRead(world.urlOf(`/api/loans/${loanId}?after=${requested.body.position}`, 'underwriter'))
})

const open = (path: string, way = {}) => world.open(path, way, 'auditor')
const rows = (page: Page) => page.locator('tbody tr')
/** Until what somebody just did is in the trail, so often at least. */
const untilFound = (query: string, times = 1) =>
  expect
    .poll(
      async () => {
        const answer = await fetch(world.urlOf(`/api/audit?limit=100&${query}`, 'auditor'))
        return ((await answer.json()) as { entries: object[] }).entries.length
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThanOrEqual(times)

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('shows an underwriter a national id on purpose, and auditors that it was shown', async () => {
    const page = await world.open(`/underwriting/loans/${loanId}`, way, 'underwriter')
    expect(await page.content()).not.toContain(applicant.nationalId)
    await page.getByRole('button', { name: 'Show the national id' }).click()
    await page.getByText(applicant.nationalId).waitFor()
    await expectUsable(page, way)
    await page.getByRole('link', { name: 'Back to the application' }).click()
    await page.getByRole('heading', { name: 'Your decision' }).waitFor()
    expect(await page.content()).not.toContain(applicant.nationalId)

    await untilFound(`action=NationalIdRevealed&resource=${loanId}`)
    const trail = await open('/audit', way)
    await trail.getByRole('heading', { name: 'Audit trail' }).waitFor()
    await expectUsable(trail, way)
    await trail.getByLabel('What').fill('NationalIdRevealed')
    await trail.getByRole('button', { name: 'Search' }).click()
    await trail.waitForURL(/action=NationalIdRevealed/)
    await rows(trail).filter({ hasText: underwriter }).first().waitFor()
    expect(await trail.getByLabel('What').inputValue()).toBe('NationalIdRevealed')
    await expectUsable(trail, way)

    // From one fact to all about the same loan: what was done, by whom, and nothing that names who applied.
    await trail.getByTitle(loanId).first().click()
    await trail.waitForURL(new RegExp(`resource=${loanId}`))
    await rows(trail).filter({ hasText: 'LoanRequested' }).waitFor()
    expect(await trail.content()).not.toMatch(new RegExp(`${applicant.name}|${applicant.nationalId}`))
    await trail.getByRole('link', { name: 'Show all' }).click()
    await trail.waitForURL(/\/audit$/)
  })

  test('says that nothing fits', async () => {
    const page = await open('/audit?actor=nobody-of-this-name', way)
    await page.getByText('Nothing that was written down fits this search.').waitFor()
    await expectUsable(page, way)
  })
})

test('turns pages', async () => {
  for (let n = 0; n < 51; n++)
    expect((await post(world.urlOf(`/api/loans/${loanId}/approve`, 'applicant'))).status).toBe(403)
  await untilFound('outcome=refused&actor=zoe', 51)
  const page = await open('/audit?outcome=refused&actor=zoe')
  expect(await rows(page).count()).toBe(50)
  await page.getByRole('link', { name: 'Next 50' }).click()
  await page.waitForURL(/cursor=/)
  await expect.poll(() => rows(page).count()).toBeLessThan(50)
})

test('is for auditors: an underwriter is refused, and that is found', async () => {
  const page = await world.open('/audit', {}, 'underwriter')
  await page.getByRole('heading', { level: 1 }).waitFor()
  expect(await rows(page).count()).toBe(0)
  await expectUsable(page)
  await untilFound(`actor=${underwriter}&outcome=refused&action=${encodeURIComponent('GET /api/audit')}`)
})
