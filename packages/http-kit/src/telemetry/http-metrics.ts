// What every server measures: its requests by outcome, and how long its event loop lets others wait.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyPluginAsync } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { publicRoute } from '../access/access.ts'
import { type Metrics, metricsContentType } from './metrics.ts'

const nanosecondsPerSecond = 1e9

const measureHttp =
  (metrics: Metrics): FastifyPluginAsync =>
  async (server) => {
    const observe = metrics.histogram('http_request_duration_seconds', 'Time to answer, by route and status.')
    server.addHook('onResponse', async ({ method, routeOptions }, { statusCode, elapsedTime }) => {
      observe(elapsedTime / 1_000, { method, route: routeOptions.url ?? 'none', status: String(statusCode) })
    })

    const delay = monitorEventLoopDelay()
    delay.enable()
    server.addHook('onClose', async () => void delay.disable())
    metrics.gauge('event_loop_delay_seconds', 'Delay of the event loop since the last look.', () => {
      const samples = [
        { labels: { quantile: '0.5' }, value: delay.percentile(50) / nanosecondsPerSecond },
        { labels: { quantile: '0.99' }, value: delay.percentile(99) / nanosecondsPerSecond },
        { labels: { quantile: '1' }, value: delay.max / nanosecondsPerSecond },
      ]
      delay.reset()
      return samples
    })

    server.get('/metrics', { config: publicRoute, schema: { hide: true }, logLevel: 'warn' }, async (_request, reply) =>
      reply.type(metricsContentType).send(await metrics.text()),
    )
  }

/** `/metrics`, and hooks that see the routes of the whole server. */
export const httpMetrics = (metrics: Metrics) => fastifyPlugin(measureHttp(metrics), { name: 'http-metrics' })
