// A form makes one loan, however often and however late it is sent: double submit, back button, reload, a service that dies.

import { type Part, until } from '@headwater/test-kit/system'
import pg from 'pg'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  answer,
  answersOf,
  expectUsable,
  sendApplication,
  somebody,
  testWorld,
  untilHydrated,
  untilReceived,
} from './support.ts'

const world = testWorld({ without: ['consent', 'dashboard-projector'] })

const loanCount = async (): Promise<number> => {
  const answered = await fetch(world.urlOf('/api/loans?limit=100', 'underwriter'))
  return ((await answered.json()) as { loans: unknown[] }).loans.length
}
const sendOnceMore = async (page: Page) => {
  await page.getByRole('heading', { name: 'Check your answers' }).waitFor()
  await sendApplication(page)
  return untilReceived(page)
}

describe.each([{ scripts: true }, { scripts: false }])('scripts $scripts', (way) => {
  /** A form that is filled in, and the count of loans before it is sent. */
  const filledIn = async () => {
    const page = await world.open('/apply', way)
    const answers = answersOf(somebody(9))
    const form = page.url()
    await answer(page, answers)
    await page.getByRole('heading', { name: 'Check your answers' }).waitFor()
    return { page, form, answers, before: await loanCount() }
  }

  test('a double click is one loan', async () => {
    const { page, before } = await filledIn()
    await page.getByRole('button', { name: 'Send application' }).dblclick()
    await untilReceived(page)
    expect(await loanCount()).toBe(before + 1)
  })

  const fillInAgain = async (page: Page, answers: Record<string, string>) => {
    await page.getByRole('heading', { name: 'Apply for a loan' }).waitFor()
    if (way.scripts) await untilHydrated(page)
    await answer(page, answers)
  }

  test('reloading each page on the way is one loan', async () => {
    const { page, answers, before } = await filledIn()
    await page.reload()
    // Without scripts the browser sends the answers again; with them the form is asked for again.
    if (way.scripts) await fillInAgain(page, answers)
    const reference = await sendOnceMore(page)
    await page.reload()
    expect(await untilReceived(page)).toBe(reference)
    expect(await loanCount()).toBe(before + 1)
  })

  test('the back button, and sending again, is one loan', async () => {
    const { page, form, answers, before } = await filledIn()
    await sendApplication(page)
    const reference = await untilReceived(page)
    if (way.scripts) await page.goBack()
    else {
      // What was sent from the page before is not kept; one step further back is the form.
      await expect(page.goBack()).rejects.toThrow('ERR_CACHE_MISS')
      await page.waitForURL(/^chrome-error:/)
      await page.goto(form)
    }
    await fillInAgain(page, answers)
    expect(await sendOnceMore(page)).toBe(reference)
    expect(await loanCount()).toBe(before + 1)
  })

  test('the same form with another amount is no second application, and what was sent first stands', async () => {
    const { page, form, answers, before } = await filledIn()
    await sendApplication(page)
    const reference = await untilReceived(page)
    await page.goto(form)
    if (way.scripts) await untilHydrated(page)
    await answer(page, { ...answers, 'Amount in euros': '900' })
    await sendApplication(page)
    await page.getByRole('heading', { name: 'This form was sent already' }).waitFor()
    expect(await page.content()).not.toContain(reference)
    await expectUsable(page, way)
    expect(await loanCount()).toBe(before + 1)
  })

  test('keeps the answers when they cannot be sent; a form given up meanwhile says so, and the next one is taken', async () => {
    const [loan] = world.system.loans as [Part]
    const database = new pg.Client(world.system.databaseUrl)
    await database.connect()
    onTestFinished(() => database.end())
    const { page, answers, before } = await filledIn()

    await loan.kill()
    await loan.start({ FAULT_POINT: 'reserved:SIGKILL' })
    await sendApplication(page)
    await page.getByRole('heading', { name: 'We could not send it just now' }).waitFor()
    await expectUsable(page, way)
    await loan.kill()
    await loan.start()
    await until('the form is given up', async () => {
      // As if a quarter of an hour had passed for the jobs that wait.
      await database.query(
        `select graphile_worker.reschedule_jobs(array[id], run_at => now()) from graphile_worker.jobs where run_at > now() + interval '5 minutes'`,
      )
      const { rowCount } = await database.query(
        `select from headwater.jobs where kind = 'abandon application' and done_at is null`,
      )
      return rowCount === 0
    })
    await sendApplication(page)
    await page.getByRole('heading', { name: 'This form can no longer be sent' }).waitFor()
    await expectUsable(page, way)

    await page.getByRole('link', { name: 'A new form' }).click()
    await page.getByRole('heading', { name: 'Apply for a loan' }).waitFor()
    if (way.scripts) await untilHydrated(page)
    await answer(page, answers)
    expect(await sendOnceMore(page)).not.toBeNull()
    expect(await loanCount()).toBe(before + 1)
  })
})
