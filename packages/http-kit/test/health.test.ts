// Readiness waits for every part once; later trouble is told but takes no service out of use.
import { expect, onTestFinished, test } from 'vitest'
import { createHealth } from '../src/server/health.ts'
import type { PartStatus } from '../src/server/part-status.ts'
import { createServer } from '../src/server/server.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

const start = async (probes: Record<string, () => PartStatus | Promise<PartStatus>>) => {
  const logger = createLogger({ service: 'things', level: 'silent' })
  const server = await createServer({ title: 'Things', description: 'Things.', logger, health: createHealth(probes) })
  onTestFinished(() => server.close())
  return server
}

test('ready once all parts were without trouble, degraded afterwards', async () => {
  const parts: Record<string, PartStatus> = { store: { trouble: 'it does not answer' }, model: { lagMs: 7 } }
  const server = await start({ store: () => parts.store ?? {}, model: () => parts.model ?? {} })

  const started = async () => (await server.inject('/health/started')).statusCode
  expect(await started()).toBe(503)
  const starting = await server.inject('/health/ready')
  expect([starting.statusCode, starting.json()]).toEqual([503, { status: 'starting', parts }])

  parts.store = {}
  const ready = await server.inject('/health/ready')
  expect([ready.statusCode, ready.json()]).toEqual([200, { status: 'ready', parts }])

  parts.model = { trouble: 'it stopped', lagMs: 9_000 }
  const degraded = await server.inject('/health/ready')
  expect([degraded.statusCode, degraded.json()]).toEqual([200, { status: 'degraded', parts }])

  parts.model = { trouble: 'it stopped for good', ended: true }
  const failed = await server.inject('/health/ready')
  expect([failed.statusCode, failed.json()]).toEqual([503, { status: 'failed', parts }])
  expect(await started()).toBe(200)
})

test('what is only useful degrades it, and keeps it from nothing', async () => {
  const health = createHealth({ model: () => ({}) }, { dashboard: () => ({ trouble: 'it does not answer' }) })
  expect(await health.readiness()).toMatchObject({
    status: 'degraded',
    parts: { dashboard: { trouble: 'it does not answer' } },
  })
})

test.each([
  ['throws', () => Promise.reject(new Error('no connection')), 'no connection'],
  ['never answers', () => new Promise<PartStatus>(() => undefined), 'no answer within 800 ms'],
])('a part whose probe %s is in trouble', async (_how, probe, trouble) => {
  const server = await start({ store: probe })
  expect((await server.inject('/health/ready')).json()).toEqual({ status: 'starting', parts: { store: { trouble } } })
})

test('the process lives whatever its parts say', async () => {
  const server = await start({ store: () => ({ trouble: 'gone' }) })
  expect((await server.inject('/health/live')).statusCode).toBe(200)
})
