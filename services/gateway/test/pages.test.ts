// What the gateway serves itself in a browser, and what it says while the pages' own service is away.

import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startEdge, startGateway } from './support.ts'

let browser: Awaited<ReturnType<typeof launchBrowser>>
beforeAll(async () => {
  browser = await launchBrowser()
}, launchTimeoutMs)
afterAll(() => browser.close())

const openPage = async (path: string) => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory)
  onTestFinished(gateway.close)
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  const answer = await page.goto(`${gateway.url}${path}`)
  return { page, status: answer?.status() }
}

test('shows the API page under its content security policy', async () => {
  const { page } = await openPage('/api/docs')
  await page.getByText('Request a loan').waitFor()
})

test('says that it is back in a moment while the pages do not answer', async () => {
  const { page, status } = await openPage('/')
  expect(status).toBe(503)
  await page.getByRole('heading', { name: 'Back in a moment' }).waitFor()
})
