// Pages as people use them: a browser with and without scripts, and everything it complains about.
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

/** The ways a page is looked at. */
export const ways = [
  { scripts: true, width: 1280 },
  { scripts: true, width: 320 },
  { scripts: false, width: 1280 },
  { scripts: false, width: 320 },
] as const

type Way = { readonly scripts?: boolean; readonly width?: number; readonly dark?: boolean }

/** A page, and what the browser found wrong: script errors, hydration, content security policy. */
export const openPage = async (
  browser: Browser,
  url: string,
  { scripts = true, width = 1280, dark = false }: Way = {},
) => {
  const options: BrowserContextOptions = {
    javaScriptEnabled: scripts,
    viewport: { width, height: 800 },
    colorScheme: dark ? 'dark' : 'light',
  }
  const context = await browser.newContext(options)
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    // A refused form is an answer with a status of its own, which browsers always mention.
    const mentionsStatus = message.text().startsWith('Failed to load resource')
    if (['error', 'warning'].includes(message.type()) && !mentionsStatus) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(url)
  if (scripts) await untilHydrated(page)
  return { page, complaints }
}

/** React has taken the page over: from here on, what is typed and clicked is its business. */
export const untilHydrated = (page: Page) => page.locator('main[data-hydrated]').waitFor()

/** Nothing is wider than the screen, and axe, which is a script itself, finds nothing against WCAG 2.2 AA. */
export const expectUsable = async (page: Page, { scripts = true }: Way = {}) => {
  const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  expect(overflow, `wider than the screen: ${page.url()}`).toBe(0)
  if (!scripts) return
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}
