// A release whose read models have new versions comes beside the old one, under load: no request fails, live clients go on.
import path from 'node:path'
import { sqliteQueries } from '@headwater/projections/model/queries'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { type LoanRow, loans } from '@headwater/read-models/loan/loans'
import { freePort } from '@headwater/test-kit/free-port'
import { followTopic } from '@headwater/test-kit/live-client'
import { type Part, startSystem, until } from '@headwater/test-kit/system'
import pg from 'pg'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { differencesOf } from './chaos/differences.ts'
import { startFront } from './new-version/front.ts'
import { startLoad } from './new-version/load.ts'

const people = 2
/** Served by the old release alone, by both, and by the new one alone. */
const requestsEach = 25
const nextRelease = { NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'new-version/next-version.ts')}` }

const allLoans = sqliteQueries<{ loans: LoanRow }>().selectFrom('loans').select(['loanId', 'status']).compile()

const answer = async ({ url }: Part, path: string) => (await fetch(url + path).catch(() => undefined))?.status

test('old and new deployment side by side', { timeout: 120_000 }, async () => {
  const system = await startSystem({ without: ['consent', 'web'] })
  onTestFinished(system.stop)
  const front = await startFront(system.gateway.url)
  onTestFinished(front.close)
  const { asUnderwriter } = system
  const asApplicant = { authorization: `Bearer ${await system.issuer.tokenOf({ sub: 'zoe' })}` }
  const follow = (topic: string, url = front.url) => {
    const client = followTopic(url, topic, ({ loanId }) => String(loanId), asUnderwriter)
    onTestFinished(client.stop)
    return { topic, client }
  }
  const live = [follow('loans'), follow('underwriting')]
  const load = startLoad(front.url, people, { asApplicant, asUnderwriter })
  const more = async () => {
    const enough = load.requests() + requestsEach
    await until('more is asked', () => load.requests() >= enough || load.failures.length > 0)
    expect(load.failures).toEqual([])
  }
  await more()

  // The new gateway has no read model yet, so it is not ready, and nobody is sent to it.
  const [gateway, projector, dashboards] = await Promise.all(
    [system.gateway, system.projector, system.dashboardProjector].map(async (old) =>
      old.beside({ ...nextRelease, PEOPLE_PORT: String(await freePort()) }),
    ),
  )
  if (!gateway || !projector || !dashboards) throw new Error('There is no new deployment.')
  onTestFinished(async () => {
    await Promise.all([gateway, projector, dashboards].map((part) => part.stop()))
  })
  const ready = gateway.start()
  await until('the new gateway lives', async () => (await answer(gateway, '/health/live')) === 200)
  expect(await answer(gateway, '/health/ready')).toBe(503)
  await more()
  await Promise.all([dashboards.start(), projector.start(), ready])
  await more()

  front.leadTo(gateway.url)
  // What preStop's pause is for: nothing is asked any more on connections that were made before. Sockets stay.
  await until('the old gateway is asked nothing', () => front.connectionsTo(system.gateway.url) <= live.length)
  await system.gateway.stop()
  await Promise.all([system.projector.stop(), system.dashboardProjector.stop()])
  await more()
  await load.stop()
  expect(load.failures).toEqual([])

  // Everything is in the new versions; the old ones are left where they were.
  const loansIn = (version: number) => {
    const projection = { ...loans, version }
    const reader = openSqliteReader({ directory: system.edgeDirectory, projection, logger: pino({ level: 'silent' }) })
    try {
      return new Map(reader.rows(allLoans).value.map(({ loanId, status }) => [loanId, status]))
    } finally {
      reader.close()
    }
  }
  const [before, now] = [loansIn(loans.version), loansIn(loans.version + 1)]
  expect(before.size).toBeGreaterThan(0)
  expect(now.size).toBeGreaterThan(before.size)
  expect([...before.keys()].filter((id) => !now.has(id))).toEqual([])
  const client = new pg.Client(system.databaseUrl)
  await client.connect()
  onTestFinished(() => client.end())
  const { rows } = await client.query<{ v1: number; v2: number }>(
    'select (select count(*)::int from underwriting_v1.loans) as v1, (select count(*)::int from underwriting_v2.loans) as v2',
  )
  expect(rows).toMatchObject([{ v1: expect.any(Number), v2: now.size }])
  expect(rows[0]?.v1).toBeLessThan(now.size)

  for (const { topic, client } of live) {
    const fresh = follow(topic, gateway.url).client
    await until('the picture is what who comes now is shown', () => {
      const differences = differencesOf(fresh.picture(), client.picture())
      return fresh.picture().size > 0 && differences.length === 0
    })
    // One from each release: a token of one version is none of another.
    expect(client.snapshots()).toBe(2)
  }
})
