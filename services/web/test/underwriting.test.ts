// What underwriters do all day: see who waits as it happens, decide, look up; by pointer, by keyboard, and without scripts.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, launchTimeoutMs } from '../../../scripts/test/browser.ts'
import { nationalId, post, type System, startSystem, underwriter } from '../../../scripts/test/system.ts'
import { expectUsable, openPage, ways } from './support.ts'

let browser: Browser
let system: System
beforeAll(async () => {
  ;[browser, system] = await Promise.all([launchBrowser(), startSystem()])
}, launchTimeoutMs)
afterAll(async () => {
  await browser?.close()
  await system?.stop()
})

let serial = 0
/** Somebody new who waits for an underwriter. */
const requestLoan = async (amount = 5_000) => {
  serial += 1
  const name = `Applicant ${String.fromCharCode(64 + serial)}x`
  const applicant = { name, address: '1 Mill Lane, Bath', nationalId: nationalId(5, 80_000 + serial), amount }
  const { status, body } = await post(`${system.gateway.url}/api/loans`, applicant)
  expect(status).toBe(201)
  // Every page that is opened from here on shows it.
  await fetch(`${system.urlFor.underwriter}/api/underwriting/queue?after=${body.position}`)
  return { name, id: String(body.id) }
}
const open = (path: string, way = {}) => openPage(browser, `${system.urlFor.underwriter}${path}`, way)
const rowOf = (page: Page, name: string) => page.getByRole('row', { name })
const live = (page: Page) => page.getByText('Live', { exact: true }).waitFor()

describe.each(ways)('scripts $scripts, $width px', (way) => {
  it('leads from the queue to a decision, and the decision into the books', async () => {
    const { name } = await requestLoan()
    const { page, complaints } = await open('/underwriting', way)
    await rowOf(page, name).waitFor()
    await expectUsable(page, way)

    await page.getByRole('link', { name }).click()
    await page.getByRole('heading', { name: 'Put before an underwriter' }).waitFor()
    await expectUsable(page, way)
    expect(await page.content()).not.toMatch(/58\d{4}AA/)

    await page.getByLabel('Reason').fill('Steady income')
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('heading', { name: `Approved by ${underwriter}` }).waitFor()
    await page.getByText('“Steady income”').waitFor()
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0)
    await expectUsable(page, way)

    await page.goto(`${system.urlFor.underwriter}/underwriting/decided?search=${encodeURIComponent(name)}`)
    await rowOf(page, name).waitFor()
    expect(await page.getByLabel('Name or reference').inputValue()).toBe(name)
    await expectUsable(page, way)

    const file = await page.getByRole('link', { name: 'Download as CSV' }).getAttribute('href')
    expect(await (await fetch(system.urlFor.underwriter + file)).text()).toContain(name)

    await page.getByRole('link', { name: 'Numbers' }).click()
    await page.getByRole('heading', { name: 'Outcomes by day' }).waitFor()
    await expectUsable(page, way)
    expect(complaints).toEqual([])
  })

  it('sorts and filters by the address of the page', async () => {
    const small = await requestLoan(100)
    const large = await requestLoan(9_000_000)
    const { page } = await open('/underwriting?search=applicant', way)
    await page.getByRole('link', { name: 'Amount' }).click()
    await page.waitForURL(/sort=amount/)
    const names = async () => (await page.locator('tbody th a').allTextContents()).filter((text) => text)
    await expect.poll(async () => (await names())[0]).toBe(small.name)
    await page.getByRole('link', { name: 'Amount' }).click()
    await page.waitForURL(/direction=desc/)
    await expect.poll(async () => (await names())[0]).toBe(large.name)
    await page.getByLabel('Name or reference').fill(small.name)
    await page.getByRole('button', { name: 'Filter' }).click()
    await expect.poll(names).toEqual([small.name])
    await page.getByLabel('Name or reference').fill('nobody of this name')
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.getByText('Nobody who waits fits this filter.').waitFor()
    await expectUsable(page, way)
    for (const { id } of [small, large]) await post(`${system.urlFor.underwriter}/api/loans/${id}/deny`)
  })
})

it('lets rows come and go by themselves, also after the gateway was killed, each once', async () => {
  const { page, complaints } = await open('/underwriting')
  await live(page)
  const first = await requestLoan()
  await rowOf(page, first.name).waitFor()
  expect(complaints).toEqual([])
  await system.gateway.kill()
  await page.getByText('Connection lost.').waitFor()
  await system.gateway.start()
  await live(page)
  const second = await requestLoan()
  await rowOf(page, second.name).waitFor()
  expect(await rowOf(page, first.name).count()).toBe(1)
  expect(await rowOf(page, second.name).count()).toBe(1)
  for (const { id, name } of [first, second]) {
    await post(`${system.urlFor.underwriter}/api/loans/${id}/approve`)
    await rowOf(page, name).waitFor({ state: 'detached' })
  }
})

it('holds the list still under the pointer and while paused, and says what has come and gone', async () => {
  const stays = await requestLoan()
  const { page } = await open('/underwriting')
  await live(page)
  await rowOf(page, stays.name).hover()
  const later = await requestLoan()
  await page.getByRole('button', { name: '1 new: show' }).waitFor()
  expect(await rowOf(page, later.name).count()).toBe(0)
  await page.mouse.move(0, 0)
  await rowOf(page, later.name).waitFor()

  await page.getByRole('button', { name: 'Pause' }).click()
  await post(`${system.urlFor.underwriter}/api/loans/${later.id}/deny`)
  await rowOf(page, later.name).filter({ hasText: 'no longer waits' }).waitFor()
  await expectUsable(page)
  await page.getByRole('button', { name: '1 gone: show' }).click()
  await rowOf(page, later.name).waitFor({ state: 'detached' })
})

it('tells the second underwriter who decided and what', async () => {
  const { id } = await requestLoan()
  const { page } = await open(`/underwriting/loans/${id}`)
  await post(`${system.urlFor.underwriter}/api/loans/${id}/approve`)
  await page.getByLabel('Reason').fill('Too much debt')
  await page.getByRole('button', { name: 'Decline' }).click()
  await page.getByText(`The loan is already approved. ${underwriter} was first.`).waitFor()
  await expectUsable(page)
})

it('can be worked with by keyboard alone, and the keys can be turned off', async () => {
  const { name } = await requestLoan()
  const { page } = await open(`/underwriting?search=${encodeURIComponent(name)}`)
  await live(page)
  const { keyboard } = page
  await keyboard.press('?')
  await page.getByRole('dialog').waitFor()
  await expectUsable(page)
  await keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keyboard.press('p')
  await page.getByRole('button', { name: 'Resume' }).waitFor()
  await page.getByRole('button', { name: 'Keyboard' }).click()
  await page.getByLabel('Single keys do these things').uncheck()
  await keyboard.press('Escape')
  await keyboard.press('p')
  expect(await page.getByRole('button', { name: 'Resume' }).count()).toBe(1)
  await page.getByRole('button', { name: 'Keyboard' }).click()
  await page.getByLabel('Single keys do these things').check()
  await keyboard.press('Escape')
  await keyboard.press('j')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your decision' }).waitFor()
})
