// People who wait for an underwriter, for tests of the underwriters' pages.

import { post } from '@headwater/test-kit/system'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { somebody, testWorld, untilRead } from './support.ts'

/** A system, a browser, and loans in it. */
export const underwritingWorld = () => {
  const world = testWorld({ without: ['consent', 'jobs'] })
  let serial = 0
  /** Somebody new; through the loan service itself, so that it also works while the gateway is away. */
  const apply = async ({ amount = 5_000, name = `Applicant ${String.fromCharCode(65 + serial++)}x` } = {}) => {
    const applicant = { name, address: '1 Mill Lane, Bath', nationalId: somebody(5), amount }
    const { status, body } = await post(`${world.system.loans[0]?.url}/api/loans`, applicant)
    expect(status).toBe(201)
    return { name, id: String(body.id), position: String(body.position) }
  }
  /** Somebody new whom every page that is opened from here on shows. */
  const requestLoan = async (fields?: Parameters<typeof apply>[0]) => {
    const loan = await apply(fields)
    await untilRead(world.urlOf(`/api/underwriting/queue?after=${loan.position}`, 'underwriter'))
    await untilRead(world.urlOf(`/api/loans/${loan.id}?after=${loan.position}`, 'underwriter'))
    return loan
  }
  const decide = async ({ id }: { readonly id: string }, decision: 'approve' | 'deny' | 'withdraw') => {
    const { asUnderwriter, asApplicantOf } = world.system
    const headers = decision === 'withdraw' ? await asApplicantOf(id) : asUnderwriter
    const { status } = await post(`${world.system.loans[0]?.url}/api/loans/${id}/${decision}`, {}, headers)
    expect(status).toBe(200)
  }
  /** A page as the underwriter sees it. */
  const open = (path: string, way?: Parameters<typeof world.open>[1]) => world.open(path, way, 'underwriter')
  const urlOf = (path: string) => world.urlOf(path, 'underwriter')
  return { world, open, urlOf, apply, requestLoan, decide }
}

export const rowOf = (page: Page, name: string) => page.getByRole('row', { name })

/** What a card says. */
export const card = (page: Page, label: string) =>
  page.locator('.cards div').filter({ hasText: label }).locator('dd').textContent()

export const namesShown = (page: Page) => page.locator('tbody th a').allTextContents()

export const searchFor = async (page: Page, name: string) => {
  await page.getByLabel('Name or reference').fill(name)
  await page.keyboard.press('Enter')
}
