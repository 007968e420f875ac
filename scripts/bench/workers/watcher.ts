// An underwriter's browser in front of the live queue, and loans that are appended at a steady pace: when is each one on the screen?
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { loan } from '@headwater/deciders/loan/loan'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { launchBrowser } from '@headwater/test-kit/browser'
import { percentile, requestLoan } from '../load.ts'
import { serveTasks } from '../worker.ts'

const logger = createLogger({ service: 'bench', level: 'silent' })
/** A row that has not been painted by then counts as having taken so long. */
const lateMsMax = 10_000
const pollMs = 100
const viewport = { width: 1280, height: 1024 }

type Watch = {
  readonly eventStoreUrl: string
  readonly pageUrl: string
  readonly loansPerSecond: number
  readonly durationMs: number
}

/**
 * Runs in the page. React puts rows in during a frame; the callback of the next frame comes after that one was painted,
 * so what is noted is never too early. `Date` is the one clock that the page and the process that appends share.
 */
const notePaintedRows = `
  window.painted = {}
  const noted = new Set()
  const look = () => {
    const links = [...document.querySelectorAll('tbody a[data-row]')]
    const fresh = links.map(({ pathname }) => pathname.split('/').at(-1)).filter((loanId) => !noted.has(loanId))
    if (fresh.length === 0) return
    for (const loanId of fresh) noted.add(loanId)
    requestAnimationFrame(() => {
      const now = Date.now()
      for (const loanId of fresh) window.painted[loanId] = now
    })
  }
  new MutationObserver(look).observe(document, { childList: true, subtree: true })
`

const tasks = {
  /** Milliseconds from the call of append until the loan's row is painted, at the 50th and the 95th percentile. */
  run: async ({ eventStoreUrl, pageUrl, loansPerSecond, durationMs }: Watch) => {
    const store = connectEventStore({ url: eventStoreUrl, logger })
    const browser = await launchBrowser()
    try {
      const page = await browser.newPage({ viewport })
      await page.addInitScript({ content: notePaintedRows })
      await page.goto(pageUrl)
      await page.locator('.connection[data-state="live"]').waitFor()
      const painted = () => page.evaluate<Readonly<Record<string, number>>>('window.painted')

      const appendedAt = new Map<string, number>()
      const appends: Promise<unknown>[] = []
      const startedAt = performance.now()
      const total = Math.floor((durationMs / 1_000) * loansPerSecond)
      for (let n = 0; n < total; n++) {
        const waitMs = startedAt + (n * 1_000) / loansPerSecond - performance.now()
        if (waitMs > 0) await sleep(waitMs)
        const loanId = randomUUID()
        const events = loan.decide(requestLoan(loanId, new Date().toISOString()), loan.initialState)
        const toAppend = events.map(({ type, data }) => ({ id: randomUUID(), type, data, metadata: {} }))
        appendedAt.set(loanId, Date.now())
        appends.push(store.append(`loan-${loanId}`, toAppend, 'no_stream'))
      }
      await Promise.all(appends)
      const deadline = performance.now() + lateMsMax
      let seen = await painted()
      while ([...appendedAt.keys()].some((loanId) => !(loanId in seen)) && performance.now() < deadline) {
        await sleep(pollMs)
        seen = await painted()
      }
      const latencies = [...appendedAt].map(([loanId, at]) => (seen[loanId] ?? at + lateMsMax) - at)
      const sorted = latencies.toSorted((a, b) => a - b)
      const missing = [...appendedAt.keys()].filter((loanId) => !(loanId in seen)).length
      return { missing, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) }
    } finally {
      await browser.close()
      await store.close()
    }
  },
}
export type WatcherTasks = typeof tasks

serveTasks(tasks)
