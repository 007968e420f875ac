// A partner's requests are counted over all gateways; whoever asks too much is told when to go on, and nobody else suffers.
import { partner, role } from '@headwater/deciders/policy'
import { authSettings, bearerCredentials, createAuthenticator } from '@headwater/http-kit/access/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer } from '@headwater/http-kit/server/server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { openSharedLimits } from '@headwater/postgres/shared-limits'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { startIssuer, type TestIssuer } from '@headwater/test-kit/issuer'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { limitPartners } from '../src/partner-limit.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const perMinute = 5
/** A busy machine is no outage. */
const answerTimeoutMs = 20_000

const startFrontDoor = async (issuer: TestIssuer, databaseUrl: string) => {
  const lines: { readonly level: number; readonly msg: string }[] = []
  const watched = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const pool = openPool(databaseUrl, 2, watched)
  let connections = 0
  pool.on('connect', () => connections++)
  const metrics = createMetrics()
  const limits = openSharedLimits({
    pool,
    table: 'partner_requests',
    gauge: metrics.gauge,
    logger: watched,
    answerTimeoutMs,
  })
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const server = await createServer({
    title: 'Front door',
    description: 'For the test',
    logger,
    health: createHealth({}, { limits: limits.status }),
    credentialsOf: bearerCredentials(authenticator),
  })
  limitPartners(server, { limits, perMinute })
  let reached = 0
  const rules = [partner('loans:read'), role('underwriter')]
  const schema = { response: { 200: z.object({ count: z.int() }) } }
  server.get('/thing', { config: { rules }, schema }, async () => ({ count: ++reached }))
  server.get('/vital', { config: { rules, isUnlimited: true }, schema }, async () => ({ count: ++reached }))
  onTestFinished(async () => {
    await server.close()
    await limits.close()
    await pool.end()
  })
  const ask = async (token: string, url = '/thing') => {
    const { statusCode, headers, json } = await server.inject({
      url,
      headers: { authorization: `Bearer ${token}` },
    })
    return { status: statusCode, headers, body: json() }
  }
  /** As operators see it: by health, and by the metric. */
  const isAlone = async () => {
    const { status, parts } = (await server.inject('/health/ready')).json()
    const value = /^limits_counted_alone (\d)$/m.exec(await metrics.text())?.[1]
    expect(value).toBe(status === 'degraded' ? '1' : '0')
    expect(parts.limits).toEqual(status === 'degraded' ? { trouble: expect.stringContaining('alone') } : {})
    return status === 'degraded'
  }
  const shares = () => expect.poll(isAlone, { timeout: answerTimeoutMs }).toBe(false)
  return { ask, reached: () => reached, isAlone, shares, lines, connections: () => connections }
}

const start = async () => {
  const issuer = await startIssuer()
  onTestFinished(issuer.stop)
  const database = await testDatabase({ empty: true })
  onTestFinished(database.remove)
  // Without a table in it: each gateway prepares what it needs.
  const doors = [await startFrontDoor(issuer, database.url), await startFrontDoor(issuer, database.url)] as const
  for (const door of doors) await door.shares()
  const tokenOf = (client: string) => issuer.partnerTokenOf(client, ['loans:read'])
  return { issuer, database, doors, tokenOf }
}

const remaining = ({ headers }: { headers: Record<string, unknown> }) =>
  Number(/;r=(\d+);/.exec(String(headers.ratelimit))?.[1])

test('two gateways count together', async () => {
  const { doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  const answers = []
  for (let count = 0; count < perMinute; count++) answers.push(await (count % 2 ? doors[1] : doors[0]).ask(token))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
  expect(answers.map(remaining)).toEqual([4, 3, 2, 1, 0])
  expect(answers[0]?.headers).toMatchObject({
    'ratelimit-policy': '"partner";q=5;w=60',
    ratelimit: expect.stringMatching(/^"partner";r=4;t=\d{1,2}$/),
  })
  for (const door of doors) {
    const before = door.reached()
    const refused = await door.ask(token)
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'too_many_requests' },
      headers: { ratelimit: expect.stringMatching(/^"partner";r=0;t=\d{1,2}$/) },
    })
    const seconds = Number(refused.headers['retry-after'])
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(door.reached()).toBe(before)
  }
})

test('of many requests at once as many pass as are allowed, each with a number of its own', async () => {
  const { doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  const answers = await Promise.all(Array.from({ length: 6 * perMinute }, (_, n) => doors[n % 2]?.ask(token)))
  const passed = answers.flatMap((answer) => (answer?.status === 200 ? [remaining(answer)] : []))
  expect(passed.sort()).toEqual([0, 1, 2, 3, 4])
  expect(answers.filter((answer) => answer?.status === 429)).toHaveLength(5 * perMinute)
})

test('others are not held up: another partner, and people, who are not counted', async () => {
  const { issuer, doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  for (let count = 0; count <= perMinute; count++) await doors[0].ask(token)
  expect((await doors[0].ask(await tokenOf('another-partner'))).status).toBe(200)
  const person = await issuer.tokenOf({ sub: 'uma', roles: ['underwriter'] })
  for (let count = 0; count < 2 * perMinute; count++) {
    const answer = await doors[0].ask(person)
    expect(answer.status).toBe(200)
    expect(answer.headers).not.toHaveProperty('ratelimit')
  }
})

test('what is unlimited is not counted, and answered when all else is used up', async () => {
  const { doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  for (let count = 0; count < 2 * perMinute; count++) {
    const answer = await doors[0].ask(token, '/vital')
    expect(answer.status).toBe(200)
    expect(answer.headers).not.toHaveProperty('ratelimit')
  }
  for (let count = 0; count < perMinute; count++) expect((await doors[0].ask(token)).status).toBe(200)
  expect((await doors[0].ask(token)).status).toBe(429)
  expect((await doors[0].ask(token, '/vital')).status).toBe(200)
})

test('after its minute a partner may ask again', async () => {
  const { database, doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  for (let count = 0; count < perMinute; count++) await doors[0].ask(token)
  await database.client.query('update headwater.partner_requests set expire = 1')
  // The other gateway has nothing in memory about this minute.
  expect(remaining(await doors[1].ask(token))).toBe(perMinute - 1)
})

const troubles = {
  'Postgres is away': ({ interrupt }: TestDatabase) => interrupt(),
  'the tables are gone': async ({ client }: TestDatabase) => {
    await client.query('drop schema headwater cascade')
    // In the way of making them again.
    await client.query('create schema headwater create view migrations as select 1 as name')
    return async () => void (await client.query('drop schema headwater cascade'))
  },
}

test.each(Object.entries(troubles))(
  'while %s each gateway counts alone, says so once, and counts together again afterwards',
  async (_, begin) => {
    const { database, doors, tokenOf } = await start()
    const token = await tokenOf('a-partner')
    const end = await begin(database)
    const before = doors.map(({ connections }) => connections())
    for (const door of doors) {
      const statuses = []
      for (let count = 0; count <= perMinute; count++) statuses.push((await door.ask(token)).status)
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
      expect(await door.isAlone()).toBe(true)
    }
    // No connection a request.
    for (const [index, door] of doors.entries()) expect(door.connections() - Number(before[index])).toBeLessThan(3)
    await end()
    for (const door of doors) {
      await door.shares()
      expect(door.lines.map(({ msg }) => msg)).toEqual([
        'limits are counted by this replica alone until Postgres answers',
        'limits are counted over all replicas again',
      ])
    }
    const another = await tokenOf('another-partner')
    const answers = [await doors[0].ask(another), await doors[1].ask(another)]
    expect(answers.map(remaining)).toEqual([4, 3])
  },
)
