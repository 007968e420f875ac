// What auditors see of what others do: searched for by a form, followed from fact to fact, with and without scripts.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, launchTimeoutMs } from '../../../scripts/test/browser.ts'
import { startSignedIn } from '../../../scripts/test/signed-in.ts'
import { nationalId, post, type System, startSystem, underwriter } from '../../../scripts/test/system.ts'
import { expectUsable, openPage, ways } from './support.ts'

let browser: Browser
let system: System
let auditor: Awaited<ReturnType<typeof startSignedIn>>
let loanId: string
const applicant = {
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: nationalId(5, 71_000),
  amount: 5_000,
}

beforeAll(async () => {
  ;[browser, system] = await Promise.all([launchBrowser(), startSystem()])
  const token = await system.issuer.tokenOf({ sub: 'ada', roles: ['auditor'] })
  auditor = await startSignedIn(system.gateway.url, { authorization: `Bearer ${token}` })
  const requested = await post(`${system.gateway.url}/api/loans`, applicant)
  expect(requested.status).toBe(201)
  loanId = String(requested.body.id)
  // Every page that is opened from here on shows it.
  await fetch(`${system.urlFor.underwriter}/api/loans/${loanId}?after=${requested.body.position}`)
}, launchTimeoutMs)
afterAll(async () => {
  await auditor?.stop()
  await browser?.close()
  await system?.stop()
})

const open = (path: string, way = {}) => openPage(browser, `${auditor.url}${path}`, way)
const rows = (page: Page) => page.locator('tbody tr')
/** Until what somebody just did is in the trail, so often at least. */
const untilFound = (query: string, times = 1) =>
  expect
    .poll(
      async () => {
        const answer = await fetch(`${auditor.url}/api/audit?limit=100&${query}`)
        return ((await answer.json()) as { entries: object[] }).entries.length
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThanOrEqual(times)

describe.each(ways)('scripts $scripts, $width px', (way) => {
  it('shows an underwriter a national id on purpose, and auditors that it was shown', async () => {
    const { page, complaints } = await openPage(
      browser,
      `${system.urlFor.underwriter}/underwriting/loans/${loanId}`,
      way,
    )
    expect(await page.content()).not.toContain(applicant.nationalId)
    await page.getByRole('button', { name: 'Show the national id' }).click()
    await page.getByText(applicant.nationalId).waitFor()
    await expectUsable(page, way)
    await page.getByRole('link', { name: 'Back to the application' }).click()
    await page.getByRole('heading', { name: 'Your decision' }).waitFor()
    expect(await page.content()).not.toContain(applicant.nationalId)
    expect(complaints).toEqual([])

    await untilFound(`action=NationalIdRevealed&resource=${loanId}`)
    const { page: trail, complaints: onTrail } = await open('/audit', way)
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
    expect(onTrail).toEqual([])
  })

  it('says that nothing fits', async () => {
    const { page } = await open('/audit?actor=nobody-of-this-name', way)
    await page.getByText('Nothing that was written down fits this search.').waitFor()
    await expectUsable(page, way)
  })
})

it('turns pages', async () => {
  for (let n = 0; n < 51; n++)
    expect((await post(`${system.urlFor.applicant}/api/loans/${loanId}/approve`)).status).toBe(403)
  await untilFound('outcome=refused&actor=zoe', 51)
  const { page } = await open('/audit?outcome=refused&actor=zoe')
  expect(await rows(page).count()).toBe(50)
  await page.getByRole('link', { name: 'Next 50' }).click()
  await page.waitForURL(/cursor=/)
  await expect.poll(() => rows(page).count()).toBeLessThan(50)
})

it('is for auditors: an underwriter is refused, and that is found', async () => {
  const { page } = await openPage(browser, `${system.urlFor.underwriter}/audit`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  expect(await rows(page).count()).toBe(0)
  await expectUsable(page)
  await untilFound(`actor=${underwriter}&outcome=refused&action=${encodeURIComponent('GET /api/audit')}`)
})
