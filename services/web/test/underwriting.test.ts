// What underwriters do all day: see who waits, decide, look up; by pointer, by keyboard, and without scripts.

import { underwriter } from '@headwater/test-kit/system'
import { describe, expect, test } from 'vitest'
import { expectUsable, focused, untilHydrated, untilLive, ways } from './support.ts'
import { namesShown, rowOf, searchFor, underwritingWorld } from './underwriting-world.ts'

const { open, urlOf, requestLoan, decide } = underwritingWorld()

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('leads from the queue to a decision, and the decision into the books', async () => {
    const { name } = await requestLoan()
    const page = await open('/underwriting', way)
    await rowOf(page, name).waitFor()
    await expectUsable(page, way)

    await page.getByRole('link', { name }).click()
    await page.getByRole('heading', { name: 'Put before an underwriter' }).waitFor()
    await expectUsable(page, way)
    // The first digits of a national id are nobody's business.
    expect(await page.content()).not.toMatch(/\d{6}AA/)

    await page.getByLabel('Reason').fill('Steady income')
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByRole('heading', { name: `Approved by ${underwriter}` }).waitFor()
    await page.getByText('“Steady income”').waitFor()
    await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' })
    await expectUsable(page, way)

    await page.goto(urlOf('/underwriting/decided?outcome=approved'))
    if (way.scripts) await untilHydrated(page)
    await searchFor(page, name)
    await expect.poll(() => namesShown(page)).toEqual([name])
    expect(await page.getByLabel('Name or reference').inputValue()).toBe(name)
    expect(await page.getByLabel('Outcome').inputValue()).toBe('approved')
    await expectUsable(page, way)

    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download as CSV' }).click(),
    ])
    expect(file.suggestedFilename()).toBe('decided-loans.csv')
    const lines = []
    for await (const chunk of await file.createReadStream()) lines.push(chunk)
    expect(Buffer.concat(lines).toString().trim().split('\r\n')).toEqual([
      expect.stringContaining('loanId,name'),
      expect.stringContaining(`,${name},`),
    ])

    await page.getByRole('link', { name: 'Numbers' }).click()
    await page.getByRole('heading', { name: 'Outcomes by day' }).waitFor()
    await expectUsable(page, way)
    await page.getByText('As a table').first().click()
    await expectUsable(page, way)
  })

  test('filters and sorts by the address of the page, and looks for a name outside of it', async () => {
    const small = await requestLoan({ amount: 100 })
    const longName = `Applicant Wolfeschlegelsteinhausenbergerdorff-Ångström ${way.width} ${way.scripts}`
    const large = await requestLoan({ amount: 10_000_000, name: longName })
    const page = await open('/underwriting', way)
    await page.getByRole('link', { name: 'Amount' }).click()
    await page.waitForURL(/sort=amount/)
    await expect.poll(async () => (await namesShown(page))[0]).toBe(small.name)
    await page.getByLabel('Score').selectOption('5')
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.waitForURL(/score=5/)
    expect(page.url()).toContain('sort=amount')

    await searchFor(page, 'applicant')
    await page.getByRole('button', { name: 'Amount' }).click()
    await expect.poll(async () => (await namesShown(page))[0]).toBe(large.name)
    await expect
      .poll(() => page.getByRole('columnheader', { name: 'Amount' }).getAttribute('aria-sort'))
      .toBe('descending')
    await expectUsable(page, way)
    await searchFor(page, small.name)
    await expect.poll(() => namesShown(page)).toEqual([small.name])
    expect(await page.getByLabel('Score').inputValue()).toBe('5')
    await searchFor(page, small.id.slice(0, 8))
    await expect.poll(() => namesShown(page)).toEqual([small.name])
    await searchFor(page, 'nobody of this name')
    await page.getByText('Nobody who waits fits this filter.').waitFor()
    await expectUsable(page, way)
    expect(page.url()).not.toMatch(/search|applicant|nobody/i)

    await searchFor(page, '')
    await page.waitForURL(/score=5/)
    await expect.poll(async () => (await namesShown(page)).length).toBeGreaterThan(1)
    await page.goto(urlOf(`/underwriting/loans/${large.id}`))
    await page.getByRole('heading', { name: longName }).waitFor()
    await expectUsable(page, way)
    for (const loan of [small, large]) await decide(loan, 'deny')
  })

  test('tells the second underwriter who decided and what', async () => {
    const loan = await requestLoan()
    const page = await open(`/underwriting/loans/${loan.id}`, way)
    if (way.scripts) {
      // A page that has not heard of the first decision yet.
      await page.routeWebSocket('**/live', () => undefined)
      await page.reload()
      await untilHydrated(page)
    }
    await page.getByLabel('Reason').fill('Too much debt')
    await decide(loan, 'approve')
    await page.getByRole('button', { name: 'Decline' }).click()
    await page.getByText(`The loan is already approved. ${underwriter} was first.`).waitFor()
    await expectUsable(page, way)
  })
})

describe.each(ways)('the past, scripts $scripts, $width px', (way) => {
  test('is opened from each step of the history, cannot be mistaken for now, and leads back', async () => {
    const loan = await requestLoan()
    const page = await open(`/underwriting/loans/${loan.id}`, way)
    const stepOf = (title: string) =>
      page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: title }) })
    const openPast = async (title: string, revision: number) => {
      await stepOf(title).getByRole('link', { name: 'How it was then' }).click()
      await page.waitForURL(`**?asOf=${revision}`)
      await page.getByText(`after step ${revision + 1} of`).waitFor()
      await expectUsable(page, way)
      if (way.scripts) await expect.poll(() => focused(page)).toBe(`${loan.name}, €5,000`)
      await expect.poll(() => stepOf(title).getAttribute('aria-current')).toBe('step')
    }
    const changed = page.getByRole('region', { name: 'What this step changed' })

    await openPast('Applied for the loan', 0)
    await page.getByText('This is the past.').waitFor()
    await page.getByText('Checking credit').waitFor()
    await page.getByText('not known yet').waitFor()
    await changed.getByText('with it the application began').waitFor()
    expect(await page.getByRole('button', { name: /Approve|Decline|national id/ }).count()).toBe(0)
    expect(await page.content()).not.toMatch(/\d{6}AA/)

    await openPast('The credit bureau gave a score of 5', 1)
    expect((await changed.locator('dd').allTextContents()).map((text) => text.split(' → '))).toEqual([
      ['not yet', ', then 5'],
    ])
    // What happens now does not move what was.
    await decide(loan, 'approve')
    await openPast('Put before an underwriter', 2)
    await page.locator('.standing').getByText('In review').waitFor()
    await page.getByRole('heading', { name: `Later: Approved by ${underwriter}` }).waitFor()

    await openPast(`Approved by ${underwriter}`, 3)
    expect(await changed.locator('dt').allTextContents()).toEqual(['Status', 'Decided by', 'Decided'])
    await page.getByRole('link', { name: 'Back to now' }).click()
    await page.waitForURL(new RegExp(`${loan.id}$`))
    await page.getByRole('button', { name: 'Show the national id' }).waitFor()
    await page.getByText('This is the past.').waitFor({ state: 'detached' })
    await expect.poll(() => page.locator('.standing').textContent()).toBe('Approved')
    if (way.scripts) await untilLive(page)
  })
})

test('has no page for a past that there is not', async () => {
  const { id } = await requestLoan()
  const statusAt = async (asOf: string) => (await fetch(urlOf(`/underwriting/loans/${id}?asOf=${asOf}`))).status
  expect(await Promise.all(['0', '2', '3', '2020-01-01T00:00:00Z', 'nonsense'].map(statusAt))).toEqual([
    200, 200, 404, 404, 422,
  ])
  await decide({ id }, 'deny')
})

test('keeps what is typed while the answer to an earlier search is on its way', async () => {
  const [found, other] = [await requestLoan(), await requestLoan()]
  const page = await open('/underwriting')
  const released = Promise.withResolvers<void>()
  await page.route('**/underwriting.data*', (route) => released.promise.then(() => route.continue()))
  await searchFor(page, found.name)
  await page.getByLabel('Name or reference').fill(other.name)
  released.resolve()
  await expect.poll(() => namesShown(page)).toEqual([found.name])
  expect(await page.getByLabel('Name or reference').inputValue()).toBe(other.name)
  await page.keyboard.press('Enter')
  await expect.poll(() => namesShown(page)).toEqual([other.name])
  for (const loan of [found, other]) await decide(loan, 'deny')
})

test('is worked with by keyboard alone, and the keys can be turned off', async () => {
  const { name } = await requestLoan()
  const page = await open('/underwriting')
  await untilLive(page)
  const { keyboard } = page
  await keyboard.press('?')
  await page.getByRole('dialog').waitFor()
  await expectUsable(page)
  // Nothing happens behind the help.
  await keyboard.press('p')
  await page.getByText('Pause', { exact: true }).waitFor()
  await keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await keyboard.press('p')
  await page.getByRole('button', { name: 'Resume' }).waitFor()

  const keysByHelp = async () => {
    while ((await focused(page)) !== 'Keyboard') await keyboard.press('Tab')
    await keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    while ((await page.locator('input:focus').count()) === 0) await keyboard.press('Tab')
    await keyboard.press('Space')
    await keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('Keyboard')
  }
  await keysByHelp()
  await keyboard.press('p')
  expect(await page.getByRole('button', { name: 'Resume' }).count()).toBe(1)
  await keysByHelp()
  await keyboard.press('p')
  await page.getByRole('button', { name: 'Pause' }).waitFor()

  await keyboard.press('/')
  await keyboard.type(name)
  await keyboard.press('Enter')
  await expect.poll(() => namesShown(page)).toEqual([name])
  await expect.poll(() => page.locator('#search:focus').count()).toBe(1)
  await keyboard.press('Tab')
  await keyboard.press('j')
  while ((await focused(page)) !== name) await keyboard.press('Tab')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your decision' }).waitFor()
  await expect.poll(() => page.locator('main:focus').count()).toBe(1)
  while ((await page.locator('textarea:focus').count()) === 0) await keyboard.press('Tab')
  await keyboard.type('steady income')
  while ((await focused(page)) !== 'Approve') await keyboard.press('Tab')
  await keyboard.press('Enter')
  await page.getByRole('heading', { name: `Approved by ${underwriter}` }).waitFor()
  await expect.poll(() => focused(page)).toBe(`${name}, €5,000`)
})
