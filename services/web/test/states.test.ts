// Pages that stand in for others: nothing there, not for you, nobody answers, no connection. Each usable in every way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  answer,
  answersOf,
  expectUsable,
  sendApplication,
  somebody,
  testWorld,
  untilHydrated,
  untilLive,
  untilReceived,
  ways,
} from './support.ts'

const world = testWorld({ without: ['consent', 'jobs'] })

const nowhere = [
  '/nowhere',
  '/apply/nonsense',
  '/applications/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60',
  '/underwriting/loans/2f1b9a52-3c1d-4f1e-9f4e-1d2c3b4a5f60',
]
const underwriting = ['/underwriting', '/underwriting/decided', '/underwriting/numbers'] as const

describe.each(ways)('scripts $scripts, $width px', (way) => {
  test('says that there is nothing at an address', async () => {
    for (const address of nowhere) expect((await fetch(world.urlOf(address, 'underwriter'))).status).toBe(404)
    const page = await world.open('/nowhere', way)
    await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor()
    await expectUsable(page, way)
    await page.getByRole('link', { name: 'To the start' }).click()
    await page.getByRole('heading', { name: 'A loan decision' }).waitFor()
  })

  test('says that an address means nothing', async () => {
    const page = await world.open('/underwriting?sort=nonsense', way, 'underwriter')
    await page.getByRole('heading', { name: 'This address is not quite right' }).waitFor()
    await expectUsable(page, way)
  })
})

/** For the tests around it, a part of the system is not as it should be. */
const during = (begin: () => Promise<void>, end: () => Promise<void>) => {
  beforeAll(begin)
  afterAll(end)
}
const restartGateway = async (settings: Readonly<Record<string, string>> = {}) => {
  await world.system.gateway.stop()
  await world.system.gateway.start(settings)
}

describe('while the database is away', () => {
  during(
    () => restartGateway({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/nobody' }),
    () => restartGateway(),
  )

  test.each(ways)('underwriters see a message, applicants are served, scripts $scripts, $width px', async (way) => {
    for (const address of underwriting) expect((await fetch(world.urlOf(address, 'underwriter'))).status).toBe(503)
    const page = await world.open('/underwriting', way, 'underwriter')
    await page.getByRole('heading', { name: 'We cannot show this just now' }).waitFor()
    await expectUsable(page, way)
    const applicant = await world.open('/apply', way)
    await answer(applicant, answersOf(somebody(9)))
    await sendApplication(applicant)
    await untilReceived(applicant)
  })
})

describe('while the pages themselves are away', () => {
  during(
    () => world.system.web.stop(),
    () => world.system.web.start(),
  )

  test.each(ways)('a page says so, scripts $scripts, $width px', async (way) => {
    expect((await fetch(world.urlOf('/'))).status).toBe(503)
    const page = await world.open('/', { ...way, standIn: true })
    await page.getByRole('heading', { name: 'Back in a moment' }).waitFor()
    await expectUsable(page, way)
  })
})

test('goes on with "Try again" as soon as that is possible', async () => {
  await world.system.web.stop()
  const page = await world.open('/underwriting', { standIn: true, outage: true }, 'underwriter')
  await world.system.web.start()
  await restartGateway({ DATABASE_URL: 'postgres://postgres@127.0.0.1:1/nobody' })
  await page.getByRole('link', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'We cannot show this just now' }).waitFor()
  await untilHydrated(page)
  await restartGateway()
  await page.getByRole('link', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Waiting for a decision' }).waitFor()
})

// Without scripts a browser that is offline shows a page of its own, which no site can design.
test.each([1280, 320])(
  'says that it is offline at %s px, also where one goes then, and goes on by itself',
  async (width) => {
    const page = await world.open('/underwriting', { width, outage: true }, 'underwriter')
    await page.getByRole('link', { name: 'Headwater' }).click()
    await page.getByRole('heading', { name: 'A loan decision' }).waitFor()
    await untilLive(page)
    await page.context().setOffline(true)
    await page.getByText('You are offline.').waitFor()
    await expectUsable(page)
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Underwriting' }).click()
    await page.getByRole('heading', { name: 'We cannot reach Headwater' }).waitFor()
    await expectUsable(page)
    await page.context().setOffline(false)
    await page.getByText('You are offline.').waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Try again' }).click()
    await untilLive(page)
  },
)
