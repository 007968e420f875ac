// The front door: forwards commands, answers queries, serves live queries, passes on everything else to the pages.
import type { Actor } from '@headwater/http-kit/auth'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { createServer, type HttpServer } from '@headwater/http-kit/server'
import type { Logger } from '@headwater/http-kit/telemetry'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { contentSecurityPolicy, registerApiDocs } from './api-docs.ts'
import { registerCommands, type ServiceUrls } from './commands.ts'
import { type LiveLimits, registerLive } from './live.ts'
import { startLiveQueries } from './live-queries.ts'
import { registerPages } from './pages.ts'
import { registerQueries } from './queries.ts'
import { sightOf } from './sight.ts'

export type GatewayOptions = {
  readonly reader: SqliteReader
  readonly serviceUrls: ServiceUrls
  readonly webUrl: string
  readonly actor: Actor
  readonly logger: Logger
  readonly liveLimits?: Partial<LiveLimits>
}

export const createGateway = async (options: GatewayOptions): Promise<HttpServer> => {
  const { reader, serviceUrls, webUrl, actor, logger, liveLimits = {} } = options
  const health = createHealth({
    loans: () => (reader.ready() ? {} : { trouble: 'The edge projector has not made the read model yet.' }),
  })
  const metrics = createMetrics()
  const server = await createServer({
    title: 'Headwater',
    description: 'Commands are answered with a position; send it as `after` to a query to read your own write.',
    logger,
    health,
    metrics,
    statuses: { read_model_not_ready: 503 },
    contentSecurityPolicy,
  })
  const sight = sightOf(actor)
  const queries = startLiveQueries(reader, logger)
  server.addHook('onClose', async () => queries.stop())

  await registerApiDocs(server)
  await registerLive(server, { queries, sight, limits: liveLimits, metrics })
  registerQueries(server, { reader, sight })
  await registerCommands(server, serviceUrls)
  await registerPages(server, webUrl)
  return server
}
