// What operators see at /metrics.
import { expect, onTestFinished, test } from 'vitest'
import { createHealth } from '../src/server/health.ts'
import { createServer } from '../src/server/server.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { createLogger } from '../src/telemetry/telemetry.ts'

test('counters, gauges and histograms in the text format of Prometheus', async () => {
  const metrics = createMetrics()
  const commands = metrics.counter('commands_total', 'Commands by outcome.')
  commands({ outcome: 'accepted' })
  commands({ outcome: 'accepted' })
  commands({ outcome: 'say "no"\n' })
  metrics.gauge('lag_seconds', 'Age of the oldest event not handled.', async () => [
    { labels: { projection: 'loans' }, value: 0.5 },
  ])
  const observe = metrics.histogram('append_seconds', 'Appends.')
  observe(0.01)
  observe(20)
  const lines = (await metrics.text()).split('\n')
  expect(lines.slice(0, 6)).toEqual([
    '# HELP commands_total Commands by outcome.',
    '# TYPE commands_total counter',
    'commands_total{outcome="accepted"} 2',
    'commands_total{outcome="say \\"no\\"\\n"} 1',
    '# HELP lag_seconds Age of the oldest event not handled.',
    '# TYPE lag_seconds gauge',
  ])
  expect(lines).toContain('lag_seconds{projection="loans"} 0.5')
  expect(lines).toContain('append_seconds_bucket{le="0.005"} 0')
  expect(lines).toContain('append_seconds_bucket{le="0.01"} 1')
  expect(lines).toContain('append_seconds_bucket{le="10"} 1')
  expect(lines.slice(-4)).toEqual([
    'append_seconds_bucket{le="+Inf"} 2',
    'append_seconds_sum 20.01',
    'append_seconds_count 2',
    '',
  ])
})

test('a gauge that fails or never answers is left out, and the others are there', async () => {
  const metrics = createMetrics()
  metrics.gauge('failing', 'Fails.', () => {
    throw new Error('not now')
  })
  metrics.gauge('rejecting', 'Rejects.', () => Promise.reject(new Error('not now')))
  metrics.gauge('silent', 'Never answers.', () => new Promise(() => undefined))
  metrics.gauge('sockets', 'Open sockets.', () => [{ value: 3 }])
  const lines = (await metrics.text()).split('\n')
  expect(lines).toContain('sockets 3')
  expect(lines.filter((line) => /^(failing|rejecting|silent)/.test(line))).toEqual([])
})

test('a server measures its requests by route, status and code, never by address, and its event loop', async () => {
  const logger = createLogger({ service: 'things', level: 'silent' })
  const server = await createServer({ title: 'Things', description: 'Things.', logger, health: createHealth({}) })
  onTestFinished(() => server.close())
  server.get('/things/:id', async () => ({}))
  await server.inject('/things/ada')
  await server.inject('/nothing/ada')
  const { payload, headers } = await server.inject('/metrics')
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(payload).toContain('http_request_duration_seconds_count{method="GET",route="/things/:id",status="200"} 1')
  expect(payload).toContain('http_request_duration_seconds_count{method="GET",route="none",status="404"} 1')
  expect(payload).toContain('http_problems_total{route="none",code="not_found"} 1')
  expect(payload).toMatch(/event_loop_delay_seconds\{quantile="0.99"\} \d/)
  expect(payload).not.toContain('ada')
})
