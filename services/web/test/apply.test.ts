// Applying, from the first page to a decision: with and without scripts, on wide and narrow screens, by keyboard alone.

import { post } from '@headwater/test-kit/system'
import { describe, expect, test } from 'vitest'
import {
  answer,
  answersOf,
  expectUsable,
  focused,
  sendApplication,
  somebody,
  testWorld,
  untilHydrated,
  untilLive,
  untilReceived,
  ways,
} from './support.ts'

const world = testWorld({ without: ['consent', 'dashboard-projector'] })

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('takes an application, shows how it stands, and lets it be withdrawn', async () => {
    const id = somebody(5)
    const page = await world.open('/', way)
    await expectUsable(page, way)
    await page.getByRole('main').getByRole('link', { name: 'Apply for a loan' }).click()
    await page.getByRole('heading', { name: 'Apply for a loan' }).waitFor()
    await expectUsable(page, way)

    await answer(page, answersOf(id))
    await page.getByRole('heading', { name: 'Check your answers' }).waitFor()
    const summary = await page.locator('.answers').textContent()
    for (const text of ['Zoë Quinn', id, '€12,500']) expect(summary).toContain(text)
    await expectUsable(page, way)

    await sendApplication(page)
    await untilReceived(page)
    await expectUsable(page, way)
    expect(page.url()).not.toMatch(/Quinn|12500/)

    await page.getByRole('link', { name: 'See how it stands' }).click()
    await page.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
    await expectUsable(page, way)

    await page.getByText('Withdraw this application').click()
    await expectUsable(page, way)
    await page.getByRole('button', { name: 'Withdraw it' }).click()
    await page.getByRole('heading', { name: 'Withdrawn by you' }).waitFor()
    await expectUsable(page, way)
  })

  test('says at the top and at each field what to correct, and keeps what was typed', async () => {
    const page = await world.open('/apply', way)
    await answer(page, { 'Full name': '7', 'National id': '12', 'Amount in euros': 'ten' })
    await page.getByRole('heading', { name: '4 answers need another look' }).waitFor()
    await expect.poll(() => page.title()).toContain('Please correct')
    expect(await page.getByLabel('Full name').inputValue()).toBe('7')
    expect(await page.getByLabel('Amount in euros').inputValue()).toBe('ten')
    expect(await page.locator('#address-error').textContent()).toBe('Enter your address')
    expect(await page.getByLabel('Address').getAttribute('aria-invalid')).toBe('true')
    await expectUsable(page, way)
    await page.getByRole('link', { name: 'National id: six digits, then two letters' }).click()
    await page.waitForURL(/#nationalId/)
  })

  test('says the same while one types as it says when that is sent', async () => {
    const wrong = { 'Full name': '7', Address: 'x', 'National id': '555-555', 'Amount in euros': '10,50' }
    const errors = ['Full name: at least one letter', 'National id: six digits, then two letters']
    const page = await world.open('/apply', way)
    for (const [label, text] of Object.entries(wrong)) {
      await page.getByLabel(label).fill(text)
      // Not on to the button: what appears would move it from under the pointer.
      await page.keyboard.press('Shift+Tab')
    }
    const told = () => page.locator('.error').allTextContents()
    if (way.scripts) await expect.poll(async () => (await told()).length).toBe(3)
    const whileTyping = await told()
    await page.getByRole('button', { name: 'Check your answers' }).click()
    await page.getByRole('heading', { name: '3 answers need another look' }).waitFor()
    const whenSent = await told()
    expect(whenSent).toEqual([...errors, expect.stringMatching(/^Amount in euros: /)])
    if (way.scripts) expect(whileTyping).toEqual(whenSent)
  })

  test('tells a declined applicant so, on the page they were given', async () => {
    const page = await world.open('/apply', way)
    await answer(page, answersOf(somebody(1)))
    await sendApplication(page)
    await untilReceived(page)
    await page.getByRole('link', { name: 'See how it stands' }).click()
    await page.getByRole('heading', { name: 'Declined' }).waitFor()
    expect(await page.getByText('Withdraw this application').count()).toBe(0)
    await expectUsable(page, way)
  })

  test('refuses a second open application kindly, without a word about the first', async () => {
    const id = somebody(5)
    const first = { name: 'Somebody Else', address: 'Elsewhere', nationalId: id, amount: 98_765 }
    const { status, body } = await post(world.urlOf('/api/loans'), first)
    expect(status).toBe(201)

    const page = await world.open('/apply', way)
    await answer(page, answersOf(id))
    await sendApplication(page)
    await page.getByRole('heading', { name: 'You have an application that is still open' }).waitFor()
    const text = await page.content()
    for (const detail of ['Somebody', 'Elsewhere', '98,765', '98765', String(body.id)])
      expect(text).not.toContain(detail)
    await expectUsable(page, way)

    // As soon as the first is over, the next is taken.
    const asFirst = await world.system.asApplicantOf(String(body.id))
    expect((await post(world.urlOf(`/api/loans/${body.id}/withdraw`), {}, asFirst)).status).toBe(200)
    await page.getByRole('link', { name: 'A new form' }).click()
    await page.getByRole('heading', { name: 'Apply for a loan' }).waitFor()
    if (way.scripts) await untilHydrated(page)
    await answer(page, answersOf(id))
    await sendApplication(page)
    await untilReceived(page)
  })
})

test('changes the status page by itself when an underwriter decides', async () => {
  const applicant = { name: 'Ada Lovelace', address: 'London', nationalId: somebody(6), amount: 3_000 }
  const { body } = await post(world.urlOf('/api/loans', 'applicant'), applicant)
  const page = await world.open(`/applications/${body.id}?after=${body.position}`, {}, 'applicant')
  await untilLive(page)
  await page.getByRole('heading', { name: 'An underwriter reads your application' }).waitFor()
  await post(world.urlOf(`/api/loans/${body.id}/approve`), {}, world.system.asUnderwriter)
  await page.getByRole('heading', { name: 'Approved' }).waitFor()
  await page.getByText('Withdraw this application').waitFor({ state: 'detached' })
})

test.each([true, false])(
  'is done from the first page to a withdrawal by keyboard alone, scripts %s',
  async (scripts) => {
    const page = await world.open('/', { scripts })
    const { keyboard } = page
    /** Goes on with Tab until that has the focus, which is seen all the way. */
    const tabTo = async (text: string) => {
      for (let tabs = 0; (await focused(page)) !== text; tabs++) {
        if (tabs > 40) throw new Error(`no way to "${text}" with Tab`)
        await keyboard.press('Tab')
        const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
        expect(outline, `focus on "${await focused(page)}"`).toBe('solid')
      }
    }
    const arrive = async (heading: string) => {
      await page.getByRole('heading', { name: heading }).waitFor()
      if (scripts) await untilHydrated(page)
    }
    await keyboard.press('Tab')
    await expect.poll(() => focused(page)).toBe('Skip to the content')
    await keyboard.press('Enter')
    await tabTo('Apply for a loan')
    await keyboard.press('Enter')
    await arrive('Apply for a loan')
    if (!scripts) for (const _ of ['skip', 'mark', 'apply', 'api', 'sign in']) await keyboard.press('Tab')
    for (const text of ['Ada Lovelace', 'London', somebody(5), '4000']) {
      await keyboard.press('Tab')
      await keyboard.type(text)
    }
    await keyboard.press('Enter')
    await arrive('Check your answers')
    await tabTo('Send application')
    await keyboard.press('Enter')
    await arrive('We have your application')
    await tabTo('See how it stands')
    await keyboard.press('Enter')
    await arrive('An underwriter reads your application')
    await tabTo('Withdraw this application')
    await keyboard.press('Enter')
    await tabTo('Withdraw it')
    await keyboard.press('Enter')
    await arrive('Withdrawn by you')
    if (scripts) await expect.poll(() => focused(page)).toBe('€4,000')
  },
)

test('takes a complaint back while one types, and makes none before', async () => {
  const page = await world.open('/apply')
  const field = page.getByLabel('National id')
  await field.pressSequentially('55')
  expect(await page.locator('.error').count()).toBe(0)
  await page.keyboard.press('Tab')
  await page.getByText('National id: six digits, then two letters').waitFor()
  await field.fill('555555 AA')
  await page.getByText('National id: six digits, then two letters').waitFor({ state: 'detached' })
})
