// The first page in a real browser: rows come by themselves, the connection's state is told, and nothing breaks on small screens.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { launchBrowser, launchTimeoutMs } from '../../../scripts/test/browser.ts'
import { newLoan, startEdge, startGateway } from './support.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
}, launchTimeoutMs)
afterAll(() => browser.close())

const start = async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory)
  return { edge, gateway }
}

/** The page, and everything the browser complains about. */
const openPage = async (url: string, options: Parameters<Browser['newPage']>[0] = {}) => {
  const page = await browser.newPage(options)
  onTestFinished(() => page.close())
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(url)
  return { page, complaints }
}
const rowTexts = (page: Page) => page.locator('#rows tr').allInnerTexts()
const untilRow = (page: Page, text: string) => page.locator('#rows tr', { hasText: text }).waitFor()
const untilState = (page: Page, text: string) => page.locator('#state-text', { hasText: text }).waitFor()

it('shows loans as they come and change, the newest first', async () => {
  const { edge, gateway } = await start()
  onTestFinished(gateway.close)
  const { page, complaints } = await openPage(gateway.url)
  await untilState(page, 'Live')
  await page.getByText('No loans yet.').waitFor()

  const first = newLoan({ amount: 1_000 })
  await edge.write(first)
  await untilRow(page, '€1,000')
  await edge.write(newLoan({ amount: 2_000 }), { ...first, status: 'approved' })
  await untilRow(page, '€2,000')
  const [top, bottom] = await rowTexts(page)
  expect(top).toMatch(/€2,000\s+checking/)
  expect(bottom).toMatch(/€1,000\s+approved/)
  expect(await page.getByText('No loans yet.').isVisible()).toBe(false)
  await page.getByText('as of').waitFor()
  expect(await page.content()).not.toMatch(/Lovelace, |555555AA/)
  expect(complaints).toEqual([])
})

it('says when it has lost the connection, and goes on by itself when it is back', async () => {
  const { edge, gateway } = await start()
  const { page } = await openPage(gateway.url)
  await untilState(page, 'Live')
  await edge.write(newLoan({ amount: 1_000 }))
  await untilRow(page, '€1,000')
  await gateway.close()
  await untilState(page, 'Reconnecting')
  expect(await rowTexts(page)).toHaveLength(1)
  await edge.write(newLoan({ amount: 2_000 }))
  const again = await startGateway(edge.directory, { port: gateway.port })
  onTestFinished(again.close)
  await untilState(page, 'Live')
  await untilRow(page, '€2,000')
  expect(await rowTexts(page)).toHaveLength(2)
})

it.each([320, 1280])('fits a screen of %i px', async (width) => {
  const { edge, gateway } = await start()
  onTestFinished(gateway.close)
  await edge.write(newLoan({ amount: 10_000_000, status: 'awaiting review' }), newLoan({ status: 'withdrawn' }))
  const { page } = await openPage(gateway.url, { viewport: { width, height: 800 } })
  await untilRow(page, 'awaiting review')
  const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  expect(overflow).toBe(0)
})

it('can be used by keyboard alone', async () => {
  const { gateway } = await start()
  onTestFinished(gateway.close)
  const { page } = await openPage(gateway.url)
  await page.keyboard.press('Tab')
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the loans')
  await page.keyboard.press('Enter')
  expect(await page.evaluate('document.activeElement.id')).toBe('loans')
})

it('shows the API page under the same content security policy', async () => {
  const { gateway } = await start()
  onTestFinished(gateway.close)
  const { page } = await openPage(`${gateway.url}/api/docs`)
  await page.getByText('Request a loan').waitFor()
})
