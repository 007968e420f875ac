// The embedded event store's page in a real browser: live, by keyboard, on a small screen, with nothing stored that runs.
import { start } from '@headwater/embedded-eventstore'
import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

const smallestWidth = 320

let browser: Browser
let store: Awaited<ReturnType<typeof start>>
beforeAll(async () => {
  store = await start({ memory: true })
  browser = await launchBrowser()
}, launchTimeoutMs)
afterAll(async () => {
  await browser?.close()
  await store?.stop()
})

const append = async (stream: string, type: string, data: unknown): Promise<void> => {
  const url = `http://127.0.0.1:${store.port}/streams/${encodeURIComponent(stream)}`
  const headers = { 'content-type': 'application/json', 'es-eventtype': type }
  const { status } = await fetch(url, { method: 'POST', headers, body: JSON.stringify(data) })
  expect(status).toBe(201)
}

const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'

test('a developer finds a stream, opens an event by keyboard, and sees all events as they come', async () => {
  await append('order-1', 'Placed', { total: 12 })
  await append(evil, evil, { [evil]: evil })
  const page = await browser.newPage({ viewport: { width: smallestWidth, height: 700 }, colorScheme: 'dark' })
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()))
  page.on('dialog', (dialog) => {
    troubles.push(dialog.message())
    void dialog.dismiss()
  })
  const width = () => page.evaluate<number>('document.documentElement.scrollWidth')

  await page.goto(`http://127.0.0.1:${store.port}/`)
  expect(await width()).toBe(smallestWidth)
  await page.getByRole('searchbox').fill('order')
  await page.getByRole('button', { name: 'Show' }).press('Enter')
  await page.getByRole('link', { name: 'order-1' }).press('Enter')
  await page.locator('summary', { hasText: 'Placed' }).press('Enter')
  await page.getByText('"total": 12').waitFor()

  await page.getByRole('link', { name: 'All events' }).click()
  await append('order-1', 'Shipped', { by: evil })
  await page.locator('li', { hasText: 'Shipped' }).waitFor()
  await page.getByRole('button', { name: 'Pause' }).press('Enter')
  await append('order-1', 'Lost', {})
  await page.getByRole('status').filter({ hasText: 'paused' }).waitFor()
  expect(await page.locator('li', { hasText: 'Lost' }).count()).toBe(0)
  await page.getByRole('button', { name: 'Go on' }).press('Enter')
  await page.locator('li', { hasText: 'Lost' }).waitFor()
  for (const summary of await page.locator('summary').all()) await summary.press('Enter')
  expect(await width()).toBe(smallestWidth)
  expect(troubles).toEqual([])
})

test('with TLS the browser signs in, and sees what that user may read, live', async () => {
  const users = [{ name: 'bob', password: 'secret word' }]
  const secure = await start({ memory: true, tlsSelfSigned: true, users })
  const address = `https://localhost:${secure.port}`
  const httpCredentials = { username: 'bob', password: 'secret word' }
  const context = await browser.newContext({ ignoreHTTPSErrors: true, httpCredentials })
  const placed = (type: string) => {
    const headers = { 'content-type': 'application/json', 'es-eventtype': type }
    return context.request.post(`${address}/streams/order-1`, { headers, data: {} })
  }
  expect((await placed('Placed')).status()).toBe(201)
  const page = await context.newPage()
  await page.goto(address)
  await page.getByRole('link', { name: 'order-1' }).click()
  await page.locator('li', { hasText: 'Placed' }).waitFor()
  await placed('Shipped')
  await page.locator('li', { hasText: 'Shipped' }).waitFor()
  await page.getByRole('link', { name: 'All events' }).click()
  await page.getByText('bob may not do this.').waitFor()
  await context.close()
  await secure.stop()
})
