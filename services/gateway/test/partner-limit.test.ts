// A partner's requests are counted over all gateways; whoever asks too much is told when to go on, and nobody else suffers.
import { partner, role } from '@headwater/deciders/policy'
import { authSettings, bearerCredentials, createAuthenticator } from '@headwater/http-kit/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/health'
import { createServer } from '@headwater/http-kit/server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { migrate } from '@headwater/read-models/migrations/migrate'
import { openPool } from '@headwater/read-models/postgres-pool'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { startIssuer, type TestIssuer } from '../../../packages/http-kit/test/issuer.ts'
import { testDatabase } from '../../../scripts/test/database.ts'
import { limitPartners } from '../src/partner-limit.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const perMinute = 5
/** A busy machine is no outage. */
const timeoutMs = 20_000

const startFrontDoor = async (issuer: TestIssuer, databaseUrl: string) => {
  const pool = openPool(databaseUrl, 2, logger)
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const server = await createServer({
    title: 'Front door',
    description: 'For the test',
    logger,
    health: createHealth({}),
    credentialsOf: bearerCredentials(authenticator),
  })
  limitPartners(server, { pool, perMinute, timeoutMs })
  let reached = 0
  const rules = [partner('loans:read'), role('underwriter')]
  const schema = { response: { 200: z.object({ count: z.int() }) } }
  server.get('/thing', { config: { rules }, schema }, async () => ({ count: ++reached }))
  server.get('/vital', { config: { rules, isUnlimited: true }, schema }, async () => ({ count: ++reached }))
  onTestFinished(async () => {
    await server.close()
    await pool.end()
  })
  const ask = async (token: string, url = '/thing') => {
    const { statusCode, headers, json } = await server.inject({
      url,
      headers: { authorization: `Bearer ${token}` },
    })
    return { status: statusCode, headers, body: json() }
  }
  return { ask, reached: () => reached }
}

const start = async () => {
  const issuer = await startIssuer()
  onTestFinished(issuer.stop)
  const database = await testDatabase()
  onTestFinished(database.remove)
  const pool = openPool(database.url, 1, logger)
  await migrate(pool)
  await pool.end()
  const doors = [await startFrontDoor(issuer, database.url), await startFrontDoor(issuer, database.url)] as const
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

test('while Postgres is away each gateway counts alone, and together again afterwards', async () => {
  const { database, doors, tokenOf } = await start()
  const token = await tokenOf('a-partner')
  const letIn = await database.interrupt()
  for (const door of doors) {
    const statuses = []
    for (let count = 0; count <= perMinute; count++) statuses.push((await door.ask(token)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
  }
  await letIn()
  const another = await tokenOf('another-partner')
  const answers = [await doors[0].ask(another), await doors[1].ask(another)]
  expect(answers.map(remaining)).toEqual([4, 3])
})
