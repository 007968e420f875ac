// Applying, from the first page to a decision: with and without scripts, on wide and narrow screens, by keyboard alone.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, launchTimeoutMs } from '../../../scripts/test/browser.ts'
import { nationalId, post, type System, startSystem } from '../../../scripts/test/system.ts'
import { expectUsable, openPage, untilHydrated, ways } from './support.ts'

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
/** Somebody whom the credit bureau gives this score. */
const somebody = (score: number) => nationalId(score, 70_000 + serial++)

const fill = async (page: Page, answers: Record<string, string>) => {
  for (const [label, answer] of Object.entries(answers)) await page.getByLabel(label).fill(answer)
}
const answersOf = (id: string) => ({
  'Full name': '  Zoë   Quinn ',
  Address: '1 Mill Lane, Bath',
  'National id': `${id.slice(0, 6)} ${id.slice(6).toLowerCase()}`,
  'Amount in euros': '€ 12.500,00',
})
const apply = async (page: Page, id: string) => {
  await fill(page, answersOf(id))
  await page.getByRole('button', { name: 'Check your answers' }).click()
  await page.getByRole('heading', { name: 'Check your answers' }).waitFor()
}

describe.each(ways)('scripts $scripts, $width px', (way) => {
  it('takes an application, shows how it stands, and lets it be withdrawn', async () => {
    const id = somebody(5)
    const { page, complaints } = await openPage(browser, system.urlFor.applicant, way)
    await expectUsable(page, way)
    await page.getByRole('main').getByRole('link', { name: 'Apply for a loan' }).click()
    await page.getByRole('heading', { name: 'Apply for a loan' }).waitFor()
    await expectUsable(page, way)

    await apply(page, id)
    const summary = await page.locator('.answers').textContent()
    for (const text of ['Zoë Quinn', id, '€12,500']) expect(summary).toContain(text)
    await expectUsable(page, way)

    await page.getByRole('button', { name: 'Send application' }).click()
    await page.getByRole('heading', { name: 'We have your application' }).waitFor()
    await expectUsable(page, way)
    expect(page.url()).not.toMatch(/Quinn|12500/)

    await page.getByRole('link', { name: 'See how it stands' }).click()
    await page.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
    await expectUsable(page, way)

    await page.getByText('Withdraw this application').click()
    await page.getByRole('button', { name: 'Withdraw it' }).click()
    await page.getByRole('heading', { name: 'Withdrawn by you' }).waitFor()
    await expectUsable(page, way)
    expect(complaints).toEqual([])
  })

  it('says at the top and at each field what to correct, and keeps what was typed', async () => {
    const { page, complaints } = await openPage(browser, `${system.urlFor.applicant}/apply`, way)
    await fill(page, { 'Full name': 'A', 'National id': '12', 'Amount in euros': 'ten' })
    await page.getByRole('button', { name: 'Check your answers' }).click()
    await page.getByRole('heading', { name: '4 answers need another look' }).waitFor()
    expect(await page.title()).toContain('Please correct')
    expect(await page.getByLabel('Full name').inputValue()).toBe('A')
    expect(await page.getByLabel('Amount in euros').inputValue()).toBe('ten')
    expect(await page.locator('#address-error').textContent()).toBe('Enter your address')
    expect(await page.getByLabel('Address').getAttribute('aria-invalid')).toBe('true')
    await expectUsable(page, way)
    await page.getByRole('link', { name: 'National id: six digits, then two letters' }).click()
    expect(page.url()).toContain('#nationalId')
    expect(complaints).toEqual([])
  })
})

it('refuses a second open application kindly, without a word about the first', async () => {
  const id = somebody(5)
  const key = crypto.randomUUID()
  const { page } = await openPage(browser, `${system.urlFor.applicant}/apply/${key}`)
  await apply(page, id)
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
  const reference = await page.locator('.reference').textContent()

  // The same form with another amount is not a second application, and what was sent first stands.
  await page.goto(`${system.urlFor.applicant}/apply/${key}`)
  await fill(page, { ...answersOf(id), 'Amount in euros': '900' })
  await page.getByRole('button', { name: 'Check your answers' }).click()
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('heading', { name: 'This form was sent already' }).waitFor()
  expect(await page.content()).not.toContain(reference)
  await expectUsable(page)
})

it('makes one loan of a form that is sent twice, sent again after the back button, and reloaded', async () => {
  const before = await loanCount()
  const { page } = await openPage(browser, `${system.urlFor.applicant}/apply`)
  const form = page.url()
  const id = somebody(9)
  await apply(page, id)
  // A double click: the second submit overtakes the first.
  await page.getByRole('button', { name: 'Send application' }).dblclick()
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
  const reference = await page.locator('.reference').textContent()
  await page.reload()
  expect(await page.locator('.reference').textContent()).toBe(reference)
  // Where the back button leads.
  await page.goto(form)
  await apply(page, id)
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
  expect(await page.locator('.reference').textContent()).toBe(reference)
  expect(await loanCount()).toBe(before + 1)
})

const loanCount = async () => {
  const answer = await fetch(`${system.gateway.url}/api/loans?limit=100`, { headers: system.asUnderwriter })
  return ((await answer.json()) as { loans: unknown[] }).loans.length
}

it('shows new applications on the first page by itself, also after the gateway was killed', async () => {
  const { page, complaints } = await openPage(browser, system.urlFor.applicant)
  await page.getByText('Live', { exact: true }).waitFor()
  const request = async (amount: number) => {
    const applicant = { name: 'Ada Lovelace', address: 'London', nationalId: somebody(9), amount }
    expect((await post(`${system.urlFor.applicant}/api/loans`, applicant)).status).toBe(201)
    await page.getByRole('row', { name: `€${amount}` }).waitFor()
  }
  await request(701)
  expect(complaints).toEqual([])
  await system.gateway.kill()
  await page.getByText('Connection lost.').waitFor()
  await system.gateway.start()
  await page.getByText('Live', { exact: true }).waitFor()
  await request(702)
  expect(await page.getByRole('row', { name: /€70[12]/ }).count()).toBe(2)
  expect(await page.content()).not.toContain('Lovelace')
})

it('changes the status page by itself when an underwriter decides', async () => {
  const created = await post(`${system.urlFor.applicant}/api/loans`, {
    name: 'Ada Lovelace',
    address: 'London',
    nationalId: somebody(6),
    amount: 3_000,
  })
  const { id, position } = created.body
  const { page, complaints } = await openPage(
    browser,
    `${system.urlFor.applicant}/applications/${id}?after=${position}`,
  )
  await page.getByText('Live', { exact: true }).waitFor()
  await page.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
  await post(`${system.gateway.url}/api/loans/${id}/approve`, {}, system.asUnderwriter)
  await page.getByRole('heading', { name: 'Approved' }).waitFor()
  expect(await page.getByText('Withdraw this application').count()).toBe(0)
  expect(complaints).toEqual([])
})

it('can be filled in and sent by keyboard alone', async () => {
  const { page } = await openPage(browser, `${system.urlFor.applicant}/apply`)
  const { keyboard } = page
  await keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content')
  await keyboard.press('Enter')
  const id = somebody(9)
  for (const answer of ['Ada Lovelace', 'London', id, '4000']) {
    await keyboard.press('Tab')
    await keyboard.type(answer)
  }
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Check your answers' }).waitFor()
  await untilHydrated(page)
  await page.getByRole('button', { name: 'Send application' }).focus()
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
})

it('takes a complaint back while one types, and makes none before', async () => {
  const { page } = await openPage(browser, `${system.urlFor.applicant}/apply`)
  const field = page.getByLabel('National id')
  await field.pressSequentially('55')
  expect(await page.locator('.error').count()).toBe(0)
  await page.keyboard.press('Tab')
  await page.getByText('National id: six digits, then two letters').waitFor()
  await field.fill('555555 AA')
  await page.getByText('National id: six digits, then two letters').waitFor({ state: 'detached' })
})

it('answers what is not there, and what cannot be shown, with pages of their own', async () => {
  const { page } = await openPage(browser, `${system.urlFor.applicant}/nowhere`)
  await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor()
  await expectUsable(page)
  for (const address of ['/nowhere', '/apply/nonsense', '/applications/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60'])
    expect((await fetch(system.urlFor.applicant + address)).status).toBe(404)

  await system.web.stop()
  const answer = await page.goto(system.urlFor.applicant)
  expect(answer?.status()).toBe(503)
  await page.getByRole('heading', { name: 'Back in a moment' }).waitFor()
  await expectUsable(page)
  await system.web.start()
  await page.getByRole('link', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'A loan decision' }).waitFor()
})

it('keeps the answers when they cannot be sent, and sends them when that is possible again', async () => {
  const { page } = await openPage(browser, `${system.urlFor.applicant}/apply`)
  await apply(page, somebody(9))
  const [loan] = system.loans
  await loan?.stop()
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('heading', { name: 'We could not send it just now' }).waitFor()
  await expectUsable(page)
  await loan?.start()
  await page.getByRole('button', { name: 'Send application' }).click()
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
})

it('says that it is offline, and goes on by itself', async () => {
  const { page } = await openPage(browser, system.urlFor.applicant)
  await page.getByText('Live', { exact: true }).waitFor()
  await page.context().setOffline(true)
  await page.getByText('You are offline.').waitFor()
  await expectUsable(page)
  await page.context().setOffline(false)
  await page.getByText('You are offline.').waitFor({ state: 'detached' })
  await page.getByText('Live', { exact: true }).waitFor()
})
