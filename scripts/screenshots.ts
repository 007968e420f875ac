// `npm run screenshots`: pictures of every page into docs/screenshots, of the system that `npm start` runs and `npm run seed` filled.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { launchBrowser } from './test/browser.ts'

const { url } = parseArgs({ options: { url: { type: 'string', default: 'http://localhost:8080' } } }).values
const folder = path.join(import.meta.dirname, '..', 'docs', 'screenshots')

const looks = [
  { look: 'wide', width: 1280, colorScheme: 'light' },
  { look: 'narrow', width: 320, colorScheme: 'light' },
  { look: 'dark', width: 1280, colorScheme: 'dark' },
] as const

const waiting = async (): Promise<string> => {
  const answer = await fetch(`${url}/api/loans?status=awaiting%20review&limit=1`)
  const { loans } = (await answer.json()) as { loans: { loanId: string }[] }
  const [loan] = loans
  if (!loan) throw new Error(`No loan waits for an underwriter at ${url}: run \`npm run seed\` first.`)
  return loan.loanId
}

const loanId = await waiting()
const answer = async (page: Page, amount: string) => {
  for (const [label, text] of [
    ['Full name', 'Ada Lovelace'],
    ['Address', '12 St James Square, London'],
    ['National id', '555555 AA'],
    ['Amount in euros', amount],
  ] as const)
    await page.getByLabel(label).fill(text)
  await page.getByRole('button', { name: 'Check your answers' }).click()
  await page.locator('main[data-hydrated]').waitFor()
}

type Shot = { readonly name: string; readonly at: string; readonly act?: (page: Page) => Promise<void> }
const shots: readonly Shot[] = [
  { name: 'home', at: '/' },
  { name: 'apply', at: '/apply' },
  { name: 'apply-errors', at: '/apply', act: (page) => answer(page, 'ten') },
  { name: 'apply-check', at: '/apply', act: (page) => answer(page, '€ 12,500') },
  { name: 'received', at: `/applications/${loanId}/received` },
  { name: 'application', at: `/applications/${loanId}` },
  { name: 'underwriting', at: '/underwriting' },
  {
    name: 'underwriting-keyboard',
    at: '/underwriting',
    act: (page) => page.getByRole('button', { name: 'Keyboard' }).click(),
  },
  { name: 'underwriting-decided', at: '/underwriting/decided' },
  { name: 'underwriting-numbers', at: '/underwriting/numbers' },
  { name: 'underwriting-loan', at: `/underwriting/loans/${loanId}` },
  { name: 'not-found', at: '/nowhere' },
]

mkdirSync(folder, { recursive: true })
const browser = await launchBrowser()
for (const { look, width, colorScheme } of looks) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  for (const { name, at, act } of shots) {
    await page.goto(url + at)
    await page.locator('main[data-hydrated]').waitFor()
    const connection = page.locator('.connection')
    if ((await connection.count()) > 0) await connection.getByText('Live', { exact: true }).waitFor()
    await act?.(page)
    await page.screenshot({ path: path.join(folder, `${name}-${look}.png`) })
  }
  await context.close()
}
await browser.close()
