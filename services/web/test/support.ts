// Pages as people use them: a whole system, a browser with and without scripts, and everything it complains about.
import { AxeBuilder } from '@axe-core/playwright'
import { launchBrowser, launchTimeoutMs } from '@headwater/test-kit/browser'
import { startSignedIn } from '@headwater/test-kit/signed-in'
import { nationalId, type System, startSystem, underwriter, until } from '@headwater/test-kit/system'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'

const [wide, narrow, height] = [1280, 320, 800] as const
/**
 * The ways a page is looked at: wide it is laid out alike with scripts and without. Narrow with scripts is for the long
 * form: whether it fits is seen in the short one, too.
 */
export const ways = [
  { scripts: true, width: wide },
  { scripts: false, width: narrow },
  ...(process.env.LONG_FORM ? [{ scripts: true, width: narrow } as const] : []),
] as const

type Way = {
  readonly scripts?: boolean
  readonly width?: number
  /** The test takes the connection away, which a browser may mention. */
  readonly outage?: boolean
  /** What comes is no page of the web service, and has no scripts. */
  readonly standIn?: boolean
}

const people = {
  underwriter: { sub: underwriter, roles: ['underwriter'] },
  auditor: { sub: 'ada', roles: ['auditor'] },
  operator: { sub: 'otto', roles: ['operator'] },
  applicant: { sub: 'zoe', roles: [] },
} as const
export type Who = keyof typeof people

/** A system, a browser and people who are signed in, for all tests of a file. */
export const testWorld = (surroundings: Parameters<typeof startSystem>[0] = {}) => {
  let browser: Browser
  let system: System
  const doors = new Map<Who, Awaited<ReturnType<typeof startSignedIn>>>()
  const bearer = async (who: Who) => ({ authorization: `Bearer ${await system.issuer.tokenOf(people[who])}` })
  beforeAll(async () => {
    ;[browser, system] = await Promise.all([launchBrowser(), startSystem(surroundings)])
    for (const who of Object.keys(people) as Who[])
      doors.set(who, await startSignedIn(system.gateway.url, await bearer(who)))
  }, launchTimeoutMs)
  afterAll(async () => {
    await browser?.close()
    for (const door of doors.values()) await door.stop()
    await system?.stop()
  })
  const urlOf = (path: string, as?: Who) => (as ? doors.get(as)?.url : system.gateway.url) + path
  return {
    get system() {
      return system
    },
    signOut: (who: Who) => doors.get(who)?.signOut(),
    signIn: (who: Who) => doors.get(who)?.signIn(),
    urlOf,
    /** @param as who is signed in there; nobody, when it is not said */
    open: (path: string, way?: Way, as?: Who) => openPage(browser, urlOf(path, as), way),
  }
}

/** What every browser says by itself about an answer that is no success, and about a connection that is gone. */
const mentionsStatus = /^Failed to load resource: the server responded/
const mentionsOutage = /^(WebSocket connection to|Failed to load resource: net::)/

/**
 * React Router 8.4.0 hears nobody's complaint about the end of an answer whose navigation was overtaken while it came
 * (`fetchAndDecodeViaTurboStream` leaves `done` alone). What is shown is the newer page's.
 */
const overtaken = 'signal is aborted without reason'

/** What somebody would see who looks at the page of a test that fails. */
const shown = async (page: Page): Promise<string> =>
  `${page.url()} shows:\n${await page.locator('body').ariaSnapshot({ timeout: 5_000 })}`.replaceAll('\n', '\n  | ')

/** A page whose test fails when the browser finds fault with it: script errors, hydration, content security policy. */
export const openPage = async (browser: Browser, url: string, way: Way = {}): Promise<Page> => {
  const { scripts = true, width = wide, outage = false, standIn = false } = way
  const context = await browser.newContext({ viewport: { width, height } })
  const page = await context.newPage()
  if (!scripts) {
    // Not `javaScriptEnabled`, which cannot be changed later.
    forbidding.set(page, await context.newCDPSession(page))
    await allowScripts(page, false)
  }
  const complaints: string[] = []
  page.on('console', (message) => {
    const text = message.text()
    const isExpected = mentionsStatus.test(text) || (outage && mentionsOutage.test(text))
    if (['error', 'warning'].includes(message.type()) && !isExpected) complaints.push(text)
  })
  page.on('pageerror', ({ message }) => {
    if (message !== overtaken) complaints.push(message)
  })
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`${await shown(page)}\n`)
    await context.close()
    expect(complaints).toEqual([])
  })
  await page.goto(url)
  if (scripts && !standIn) await untilHydrated(page)
  return page
}

/** React has taken the page over: from here on, what is typed and clicked is its business. */
export const untilHydrated = (page: Page) => page.locator('main[data-hydrated]').waitFor()

/** Pages that are opened from here on show what the address asks to be waited for; one question waits 2 s of it. */
export const untilRead = (url: string) =>
  until(`it is read up to there: ${url}`, async () => (await fetch(url)).headers.get('headwater-stale') === null)

/** The page follows what happens. */
export const untilLive = (page: Page) => page.getByText('Live', { exact: true }).waitFor()

/** Of pages without scripts: axe is one, so that what came as it is may run some while axe looks. */
const forbidding = new WeakMap<Page, CDPSession>()
const allowScripts = async (page: Page, value: boolean) =>
  forbidding.get(page)?.send('Emulation.setScriptExecutionDisabled', { value: !value })

const overflowOf = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

/** Nothing is wider than the screen, and axe finds nothing against WCAG 2.2 AA. */
export const expectUsable = async (page: Page, { scripts = true }: Way = {}) => {
  for (const width of new Set([narrow, page.viewportSize()?.width ?? wide])) {
    await page.setViewportSize({ width, height })
    expect(await overflowOf(page), `wider than ${width} px: ${page.url()}`).toBe(0)
  }
  await allowScripts(page, true)
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    // Nothing here is framed: without a page of its own for what frames say it takes half the time.
    .setLegacyMode(true)
    .analyze()
  await allowScripts(page, scripts)
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}

/** The text of what has the focus: never the page as a whole, which is where a focus goes that was lost. */
export const focused = (page: Page) =>
  page.evaluate("document.activeElement === document.body ? 'nothing' : document.activeElement.textContent.trim()")

let serial = 0
/** Somebody new whom the credit bureau gives this score. */
export const somebody = (score: number) => nationalId(score, serial++)

const fill = async (page: Page, answers: Record<string, string>) => {
  for (const [label, answer] of Object.entries(answers)) await page.getByLabel(label).fill(answer)
}

/** Typed as people type. */
export const answersOf = (id: string) => ({
  'Full name': '  Zoë   Quinn ',
  Address: '1 Mill Lane, Bath',
  'National id': `${id.slice(0, 6)} ${id.slice(6).toLowerCase()}`,
  'Amount in euros': '€ 12.500,00',
})

/** Fills the form in, up to the last look at it. */
export const answer = async (page: Page, answers: Record<string, string>) => {
  await fill(page, answers)
  await page.getByRole('button', { name: 'Check your answers' }).click()
}

export const sendApplication = (page: Page) => page.getByRole('button', { name: 'Send application' }).click()

/** @returns the reference number that the applicant is given */
export const untilReceived = async (page: Page): Promise<string | null> => {
  await page.getByRole('heading', { name: 'We have your application' }).waitFor()
  return page.locator('.reference').textContent()
}
