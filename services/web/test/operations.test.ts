// What operators see of the whole and do about it: pause, build again, try again, go on without; with and without scripts.
import { randomUUID } from 'node:crypto'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { application, nationalId, post, until } from '@headwater/test-kit/system'
import pg from 'pg'
import { pino } from 'pino'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { expectUsable, testWorld, untilHydrated, ways } from './support.ts'

const world = testWorld()

const open = (way = {}) => world.open('/operations', way, 'operator')
const act = (path: string, body: object = {}) => post(world.urlOf(`/api/operations/${path}`, 'operator'), body)

type Way = (typeof ways)[number]
/** What happens meanwhile is seen by itself where scripts run; elsewhere by looking again. */
const untilShown = (page: Page, way: Way, look: () => Promise<unknown>) =>
  expect
    .poll(
      async () => {
        if (!way.scripts) await page.goto(world.urlOf('/operations', 'operator'))
        return look()
      },
      { timeout: 20_000 },
    )
    .toBe(true)

let serial = 0
/** An application whose second event nobody knows, which parks it. */
const paintLoan = async () => {
  serial += 1
  const { body } = await post(`${world.system.loans[0]?.url}/api/loans`, application(nationalId(5, 70_000 + serial)))
  const store = connectEventStore({ url: world.system.eventstoreUrl, logger: pino({ level: 'silent' }) })
  onTestFinished(() => store.close())
  const stream = `loan-${body.id}`
  // The score comes from the jobs: what is written meanwhile is theirs to find out.
  await until('its score is in', async () => (await store.readStream(stream, 0n, 10)).length > 2)
  const [last] = (await store.readStream(stream, 0n, 10)).slice(-1)
  const event = { id: randomUUID(), type: 'LoanPainted', data: {}, metadata: {} }
  await store.append(stream, [event], last?.revision ?? 'no_stream')
  return { stream, id: event.id }
}

type Parked = { readonly id: string; readonly follower: string; readonly skipped: object | null }
const waiting = async (): Promise<readonly Parked[]> => {
  const answer = await fetch(world.urlOf('/api/operations/parked', 'operator'))
  return ((await answer.json()) as { parked: readonly Parked[] }).parked.filter(({ skipped }) => skipped === null)
}
const skipAll = async () => {
  for (const { id, follower } of await waiting()) await act(`parked/${id}/skip`, { follower, reason: 'a test is over' })
  await until('nothing is parked', async () => (await waiting()).length === 0)
}

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('shows what follows the event store, pauses it and lets it go on', async () => {
    const page = await open(way)
    const drawing = page.getByRole('img', { name: 'Event store: Answers.' })
    await drawing.waitFor()
    await page.getByText('Nothing is parked.').waitFor()
    await page.getByText('Everything runs. Nothing waits for you.').waitFor()
    const row = page.getByRole('row', { name: /^consents/ })
    await row.getByText('Live').waitFor()
    await expectUsable(page, way)

    await row.getByRole('button', { name: 'Pause consents' }).click()
    await page.getByText('consents is paused').waitFor()
    await row.getByText('by otto').waitFor()
    await page.getByRole('link', { name: 'consents: paused' }).waitFor()
    await expect.poll(() => drawing.getAttribute('aria-label')).toContain('consents: Paused')
    await expectUsable(page, way)
    await row.getByRole('button', { name: 'Resume consents' }).click()
    await page.getByText('consents goes on').waitFor()
    await row.getByText('Live').waitFor()
  })

  /** Without scripts the long form does it as well. */
  if (way.scripts || process.env.LONG_FORM)
    test('builds a read model again, after saying what that is, and shows how far it is', async () => {
      const page = await open(way)
      const row = page.getByRole('row', { name: /^underwriting/ })
      await row.getByText('Build again').click()
      await row.getByRole('button', { name: 'Build underwriting again' }).click()
      await page.getByText('underwriting is built again').waitFor()
      await untilShown(page, way, async () => (await page.getByRole('progressbar').count()) === 0)

      // No projector handles it: it stays until it is stopped.
      await world.system.dashboardProjector.stop()
      onTestFinished(() => world.system.dashboardProjector.start())
      await act('followers/underwriting/rebuild')
      await untilShown(page, way, async () => (await page.getByRole('progressbar').count()) === 1)
      await page.getByText('Begins as soon as its projector sees it.').waitFor()
      await untilShown(page, way, async () => (await row.getByText('Stopped').count()) === 1)
      await expectUsable(page, way)
      await page.getByRole('button', { name: 'Stop the rebuild of underwriting' }).click()
      await page.getByText('The rebuild of underwriting was stopped').waitFor()
    })

  test('lists what is parked, tries it again, and goes on without it, with a reason', async () => {
    const page = await open(way)
    const { stream, id } = await paintLoan()
    const item = page.locator('.parked > li').filter({ hasText: 'LoanPainted in loans' }).filter({ hasText: stream })
    await untilShown(page, way, async () => (await item.count()) === 1)
    await until('it is parked in Postgres', async () =>
      (await waiting()).some((one) => one.id === id && one.follower === 'underwriting'),
    )
    await expectUsable(page, way)
    const asUnderwriter = await world.open('/underwriting', way, 'underwriter')
    await asUnderwriter.getByText('Something that happened lately is not shown here yet.').waitFor()
    await expectUsable(asUnderwriter, way)
    for (const path of [
      '/underwriting/decided',
      '/underwriting/numbers',
      `/applications/${stream.slice('loan-'.length)}`,
    ])
      expect(await (await fetch(world.urlOf(path, 'underwriter'))).text()).toContain('is not shown here yet')
    // Nothing of consents is parked.
    expect(await (await fetch(world.urlOf('/consents', 'underwriter'))).text()).not.toContain('is not shown here yet')

    await item.getByRole('button', { name: 'Try again' }).click()
    await page.getByText('The event is tried again in loans.').waitFor()
    await untilShown(page, way, async () => (await item.getByText('Tried 4 times').count()) === 1)

    await item.getByText('Go on without it').click()
    await item.getByLabel('Why').fill('x')
    await item.getByRole('button', { name: 'Skip this event' }).click()
    await page.getByRole('heading', { name: 'That was not done' }).waitFor()
    expect(await item.getByLabel('Why').inputValue()).toBe('x')
    await expectUsable(page, way)
    await item.getByLabel('Why').fill('nobody paints loans')
    await item.getByRole('button', { name: 'Skip this event' }).click()
    await page.getByText('loans goes on without the event.').waitFor()
    await untilShown(page, way, async () => {
      const skipped = page.getByText(/^Skipped: /)
      return (await skipped.count()) === 1 && (await page.getByText('“nobody paints loans”').count()) > 0
    })
    await skipAll()
    await untilShown(page, way, async () => (await page.getByText('Nothing is parked.').count()) === 1)
    await expectUsable(page, way)
    await asUnderwriter.reload()
    await asUnderwriter.getByRole('heading', { name: 'Waiting for a decision' }).waitFor()
    expect(await asUnderwriter.getByText('Something that happened lately').count()).toBe(0)
  })
})

test('skips an event at which jobs stopped; has a job run again that failed for good, and skips one, with a reason', async () => {
  const database = new pg.Client(world.system.databaseUrl)
  await database.connect()
  onTestFinished(() => database.end())
  /** Of a loan that is not there: there is nothing to do when it is run. */
  const parkJob = async () => {
    const id = randomUUID()
    await database.query(
      `insert into headwater.jobs (id, event_id, kind, stream, subject, run_at, parked_at, error)
       values ($1, $1, 'release application', $2, $3, now(), now(), 'no such applicant')`,
      [id, `loan-${id}`, { loanId: id }],
    )
    return page.locator('.parked > li').filter({ hasText: 'release application job' }).filter({ hasText: id })
  }
  const page = await open()

  // As the jobs leave it when they stop at an event, and find it when they start again.
  const id = randomUUID()
  const event = { id, stream: `loan-\0${id}`, type: 'LoanPainted', revision: '1', position: '1/1' }
  const at = new Date()
  const details = { event, error: 'a bug', tries: 3, parkedAt: at, triedAt: at, stops: true }
  await world.system.jobs.stop()
  await database.query(
    `insert into headwater.parked_events (follower, event_id, stream, is_skipped, details)
     values ('jobs', $1, $2, false, $3)`,
    [id, event.stream.replace('\0', '\ufffd'), JSON.stringify(details)],
  )
  await world.system.jobs.start()
  await page.getByRole('link', { name: 'jobs: stopped at an event' }).waitFor()
  const stopped = page.locator('.parked > li').filter({ hasText: id })
  await stopped.getByText('jobs has stopped at this event.').waitFor()
  await stopped.getByText('Go on without it').click()
  await stopped.getByLabel('Why').fill('a bug, and no loan')
  await stopped.getByRole('button', { name: 'Skip this event' }).click()
  await page.getByText('jobs goes on without the event.').waitFor()
  await page.getByText('Nothing is parked.').waitFor()
  expect(await page.getByRole('link', { name: 'jobs: stopped at an event' }).count()).toBe(0)

  const item = await parkJob()
  await item.getByRole('button', { name: 'Run again' }).click()
  await page.getByText('The job is run again.').waitFor()
  await page.getByText('Nothing is parked.').waitFor()

  const other = await parkJob()
  await page.getByRole('link', { name: '1 job failed for good' }).waitFor()
  await other.getByText('Go on without it').click()
  await other.getByLabel('Why').fill('x')
  await other.getByRole('button', { name: 'Skip this job' }).click()
  await page.getByRole('heading', { name: 'That was not done' }).waitFor()
  expect(await other.getByLabel('Why').inputValue()).toBe('x')
  await expectUsable(page)
  await other.getByLabel('Why').fill('seen to by hand')
  await other.getByRole('button', { name: 'Skip this job' }).click()
  await page.getByText('The job is skipped: what it was for is not done.').waitFor()
  await page.getByText('Nothing is parked.', { exact: true }).waitFor()
  await page.getByText(/^Skipped: /).click()
  await page.getByText('“seen to by hand”').waitFor()
  await expectUsable(page)
})

test('follows by itself what others do, and keeps what is being typed', async () => {
  const page = await open()
  await page.locator('.connection').getByText('Live').waitFor()
  await page
    .getByRole('row', { name: /^audit/ })
    .getByText('Live')
    .waitFor()
  await act('followers/audit/pause')
  await page
    .getByRole('row', { name: /^audit/ })
    .getByText('Paused')
    .waitFor()
  await act('followers/audit/resume')
  await page
    .getByRole('row', { name: /^audit/ })
    .getByText('Live')
    .waitFor()

  const { stream } = await paintLoan()
  const item = page.locator('.parked > li').filter({ hasText: 'LoanPainted in loans' }).filter({ hasText: stream })
  await item.getByText('Go on without it').click()
  await item.getByLabel('Why').fill('half a sen')
  const heardAt = await page.locator('.connection time').getAttribute('datetime')
  await expect
    .poll(() => page.locator('.connection time').getAttribute('datetime'), { timeout: 20_000 })
    .not.toBe(heardAt)
  expect(await item.getByLabel('Why').inputValue()).toBe('half a sen')
  await skipAll()
  await page.getByText('Nothing is parked.').waitFor()
})

test('is worked by keyboard', async () => {
  const page = await open()
  await page.getByRole('button', { name: 'Pause loans' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('loans is paused').waitFor()
  await untilHydrated(page)
  await page.getByRole('button', { name: 'Resume loans' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('loans goes on').waitFor()
})
