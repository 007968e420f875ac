// The front door: forwards commands, answers queries, serves live queries, passes on everything else to the pages.

import type { Actor } from '@headwater/deciders/policy'
import type { EventStore } from '@headwater/eventstore/client'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { createServer, type HttpServer } from '@headwater/http-kit/server'
import type { Logger } from '@headwater/http-kit/telemetry'
import type { PostgresReader } from '@headwater/read-models/postgres-reader'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { contentSecurityPolicy, registerApiDocs } from './api-docs.ts'
import { registerCommands, type ServiceUrls } from './commands.ts'
import { type LiveLimits, registerLive } from './live.ts'
import { startLiveQueries } from './live-queries.ts'
import { registerLoanHistory } from './loan-history.ts'
import { registerPages } from './pages.ts'
import { registerQueries } from './queries.ts'
import { sightOf } from './sight.ts'
import { registerUnderwriting } from './underwriting.ts'

export type GatewayOptions = {
  readonly readers: { readonly loans: SqliteReader; readonly underwriting: PostgresReader }
  readonly store: Pick<EventStore, 'readStream'>
  readonly serviceUrls: ServiceUrls
  readonly webUrl: string
  readonly actor: Actor
  readonly logger: Logger
  readonly liveLimits?: Partial<LiveLimits>
  readonly commandTimeoutMs?: number | undefined
}

export const createGateway = async (options: GatewayOptions): Promise<HttpServer> => {
  const { readers, store, serviceUrls, webUrl, actor, logger, liveLimits = {}, commandTimeoutMs } = options
  const notMade = (projector: string) => ({ trouble: `The ${projector} projector has not made the read model yet.` })
  const health = createHealth(
    { loans: () => (readers.loans.ready() ? {} : notMade('edge')) },
    // The edge serves whoever applies for a loan also while Postgres is away.
    { underwriting: async () => ((await readers.underwriting.ready()) ? {} : notMade('dashboard')) },
  )
  const metrics = createMetrics()
  const server = await createServer({
    title: 'Headwater',
    description: 'Commands are answered with a position; send it as `after` to a query to read your own write.',
    logger,
    health,
    metrics,
    statuses: { read_model_not_ready: 503, read_model_unavailable: 503 },
    contentSecurityPolicy,
  })
  const sight = sightOf(actor)
  const queries = {
    loans: startLiveQueries(readers.loans, logger),
    underwriting: startLiveQueries(readers.underwriting, logger),
  }
  server.addHook('onClose', async () => {
    await Promise.all(Object.values(queries).map(({ stop }) => stop()))
  })

  await registerApiDocs(server)
  await registerLive(server, { queries, sight, limits: liveLimits, metrics })
  registerQueries(server, { reader: readers.loans, sight })
  registerUnderwriting(server, { reader: readers.underwriting, actor })
  registerLoanHistory(server, { store, actor })
  await registerCommands(server, serviceUrls, commandTimeoutMs)
  await registerPages(server, webUrl)
  return server
}
