// Pages that follow what happens: a thousand rows, a gateway that is killed, a pointer that is in the way, a colleague who is faster.

import { underwriter } from '@headwater/test-kit/system'
import { expect, test } from 'vitest'
import { expectUsable, focused, untilHydrated, untilLive } from './support.ts'
import { card, namesShown, rowOf, searchFor, underwritingWorld } from './underwriting-world.ts'

const { world, open, urlOf, apply, requestLoan, decide } = underwritingWorld()
const outage = { outage: true }

test('lets rows come and go by themselves; while the gateway is killed and restarted none is missed and none doubled', async () => {
  const page = await open('/underwriting', outage)
  await untilLive(page)
  const [stays, goes] = [await apply(), await apply()]
  for (const { name } of [stays, goes]) await rowOf(page, name).waitFor()

  await world.system.gateway.kill()
  await page.getByText('Connection lost.').waitFor()
  await expectUsable(page)
  const missed = [await apply(), await apply()]
  await decide(goes, 'approve')
  await world.system.gateway.start()
  await untilLive(page)
  const after = await apply()

  const names = [stays, ...missed, after].map(({ name }) => name)
  await expect.poll(() => namesShown(page)).toEqual(names)
  for (const loan of [stays, ...missed, after]) await decide(loan, 'deny')
  await page.getByText('Nobody waits. The next one appears here by itself.').waitFor()
  await expectUsable(page)
})

test('shows new applications on the first page by itself, also those that came while the gateway was killed', async () => {
  const page = await open('/', outage)
  await untilLive(page)
  const [first] = [await apply({ amount: 701 })]
  await page.getByRole('row', { name: '€701' }).waitFor()
  await world.system.gateway.kill()
  await page.getByText('Connection lost.').waitFor()
  const second = await apply({ amount: 702 })
  await world.system.gateway.start()
  await page.getByRole('row', { name: '€702' }).waitFor()
  await expect.poll(() => page.getByRole('row', { name: /€70[12]/ }).count()).toBe(2)
  expect(await page.content()).not.toContain('Applicant')
  for (const loan of [first, second]) await decide(loan, 'withdraw')
})

test('holds the list still under the pointer, under the focus and while paused, and says what has come and gone', async () => {
  const stays = await requestLoan()
  const page = await open('/underwriting')
  await untilLive(page)
  await rowOf(page, stays.name).hover()
  const place = await rowOf(page, stays.name).boundingBox()
  const later = await requestLoan()
  await page.getByRole('button', { name: '1 new: show' }).waitFor()
  expect(await rowOf(page, stays.name).boundingBox()).toEqual(place)
  expect(await rowOf(page, later.name).count()).toBe(0)
  await page.mouse.move(0, 0)
  await rowOf(page, later.name).waitFor()

  // Who reads by keyboard keeps their place while the row they are at leaves.
  await page.getByRole('link', { name: later.name }).focus()
  await decide(later, 'deny')
  await rowOf(page, later.name).filter({ hasText: 'no longer waits' }).waitFor()
  await expect.poll(() => focused(page)).toBe(later.name)
  await expectUsable(page)
  await page.keyboard.press('k')
  await expect.poll(() => focused(page)).toBe(stays.name)
  await page.getByRole('button', { name: 'Pause' }).click()
  const last = await requestLoan()
  await page.getByRole('button', { name: '1 new: show' }).click()
  await rowOf(page, last.name).waitFor()
  await expect.poll(() => focused(page)).toBe('Waiting for a decision')
  for (const loan of [stays, last]) await decide(loan, 'deny')
})

test('lets the decision form give way when a colleague is faster, or the applicant withdraws', async () => {
  const loan = await requestLoan()
  const page = await open(`/underwriting/loans/${loan.id}`)
  await untilLive(page)
  await page.getByLabel('Reason').fill('Too much debt')
  await decide(loan, 'approve')
  await page.getByText(`${underwriter} has decided while this page was open: approved.`).waitFor()
  await page.getByRole('button', { name: 'Decline' }).waitFor({ state: 'detached' })
  await expect.poll(() => focused(page)).toContain('There is nothing left to decide')
  await page.getByRole('heading', { name: `Approved by ${underwriter}` }).waitFor()
  await expectUsable(page)

  const withdrawn = await requestLoan()
  await page.goto(urlOf(`/underwriting/loans/${withdrawn.id}`))
  await untilLive(page)
  await decide(withdrawn, 'withdraw')
  await page.getByText('The applicant has withdrawn it while this page was open.').waitFor()
  await page.getByRole('heading', { name: 'Withdrawn by the applicant' }).waitFor()
})

test('renews the numbers by itself, and goes on after an outage', async () => {
  const page = await open('/underwriting/numbers', outage)
  const withdrawn = () => page.locator('.chart').first().locator('tbody tr').last().locator('td').last().textContent()
  await page.getByText('As a table').first().click()
  const before = Number(await withdrawn())
  await decide(await requestLoan(), 'withdraw')
  await expect.poll(withdrawn, { timeout: 20_000 }).toBe(String(before + 1))

  await world.system.gateway.kill()
  await page.getByText('Connection lost.').waitFor()
  await expectUsable(page)
  await decide(await apply(), 'withdraw')
  await world.system.gateway.start()
  await expect.poll(withdrawn, { timeout: 20_000 }).toBe(String(before + 2))
  await untilLive(page)
})

/** Asks for a thousand loans first: for the long form. */
if (process.env.LONG_FORM)
  test('stays usable with a thousand rows', { timeout: 120_000 }, async () => {
    const count = 1_000
    const names = Array.from({ length: count }, (_, n) => `Row ${String(n).padStart(4, '0')}`).values()
    const worker = async () => {
      for (const name of names) await apply({ name, amount: 1_000 + Number(name.slice(4)) })
    }
    await Promise.all(Array.from({ length: 24 }, worker))
    const last = await requestLoan({ name: 'Zoë', amount: 10_000_000 })
    const page = await open('/underwriting?sort=amount&direction=desc')
    await untilLive(page)
    const rows = page.locator('tbody tr')
    await expect.poll(() => rows.count()).toBe(count)
    await page.getByText('The first 1,000 are shown.').waitFor()
    // The number of all, not of those that are shown.
    await expect.poll(() => card(page, 'Waiting')).toBe('1,001')
    await expectUsable(page)

    // Live: one comes, and the least of those shown makes room; one goes, and makes room itself.
    const newest = await apply({ name: 'Newest', amount: 9_999_999 })
    await rowOf(page, newest.name).waitFor()
    await expect.poll(() => rows.count()).toBe(count)
    await expect.poll(async () => (await namesShown(page)).slice(0, 2)).toEqual([last.name, newest.name])
    await expect.poll(() => card(page, 'Waiting')).toBe('1,002')
    await decide(newest, 'deny')
    await rowOf(page, newest.name).waitFor({ state: 'detached' })

    // By keyboard.
    await page.keyboard.press('j')
    await expect.poll(() => focused(page)).toBe(last.name)
    for (let n = 0; n < 20; n++) await page.keyboard.press('j')
    await expect.poll(() => focused(page)).toBe('Row 0980')
    await page.keyboard.press('k')
    await expect.poll(() => focused(page)).toBe('Row 0981')

    await page.getByRole('link', { name: 'Amount' }).click()
    await expect.poll(async () => (await namesShown(page))[0]).toBe('Row 0000')
    await searchFor(page, 'row 0777')
    await expect.poll(() => namesShown(page)).toEqual(['Row 0777'])
    await page.getByRole('link', { name: 'Row 0777' }).click()
    await page.getByRole('heading', { name: 'Row 0777' }).waitFor()

    // Without scripts, page by page.
    const plain = await open('/underwriting', { scripts: false })
    const seen = new Set<string>()
    for (;;) {
      for (const name of await namesShown(plain)) seen.add(name)
      const next = plain.getByRole('link', { name: 'Next 100' })
      if ((await next.count()) === 0) break
      const { href: before } = new URL(plain.url())
      await next.click()
      await plain.waitForURL(({ href }) => href !== before)
    }
    expect(seen.size).toBe(count + 1)
    await untilHydrated(page)
  })
