// The front door: forwards commands, answers queries, serves live queries, passes on everything else to the pages.

import type { EventStore } from '@headwater/eventstore/client'
import type { Authenticator } from '@headwater/http-kit/auth'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { createServer, type HttpServer } from '@headwater/http-kit/server'
import type { Logger } from '@headwater/http-kit/telemetry'
import { consents } from '@headwater/read-models/consents'
import { watchCurrency } from '@headwater/read-models/currency'
import type { PostgresReader } from '@headwater/read-models/postgres-reader'
import type { SqliteReader } from '@headwater/read-models/sqlite-reader'
import { contentSecurityPolicy, registerApiDocs } from './api-docs.ts'
import type { GatewayAuth } from './auth/auth.ts'
import { type CredentialSource, createCredentials } from './auth/credentials.ts'
import { registerCommands, type ServiceUrls } from './commands.ts'
import { registerConsentCheck } from './consent-check.ts'
import { registerConsentHistory } from './consent-history.ts'
import { registerConsents } from './consents.ts'
import { type FollowSession, type LiveLimits, registerLive } from './live.ts'
import { startLiveQueries } from './live-queries.ts'
import { registerLoanHistory } from './loan-history.ts'
import { registerPages } from './pages.ts'
import { limitPartners, type PartnerLimitOptions } from './partner-limit.ts'
import { registerQueries } from './queries.ts'
import { registerUnderwriting } from './underwriting.ts'
import { registerWebhooks } from './webhooks.ts'

export type GatewayOptions = {
  readonly readers: {
    readonly loans: SqliteReader
    readonly consents: SqliteReader
    readonly underwriting: PostgresReader
  }
  readonly store: Pick<EventStore, 'readStream' | 'readAfter'>
  readonly serviceUrls: ServiceUrls
  readonly jobsUrl: string
  readonly partnerLimit: PartnerLimitOptions
  readonly webUrl: string
  readonly authenticator: Authenticator
  /** Sessions and capabilities; without it only bearer tokens say who asks. */
  readonly auth?: GatewayAuth
  /** What requests may carry beside bearer tokens. */
  readonly credentialSources?: readonly CredentialSource[]
  /** Calls `ended` when the session is over; returns what ends that. */
  readonly followSession?: FollowSession | undefined
  readonly trustedProxies?: string | undefined
  readonly logger: Logger
  readonly liveLimits?: Partial<LiveLimits>
  readonly commandTimeoutMs?: number | undefined
  /** For the read model to become current, before a check is answered that it is not. */
  readonly checkWaitMs?: number | undefined
}

export const createGateway = async (options: GatewayOptions): Promise<HttpServer> => {
  const {
    readers,
    store,
    serviceUrls,
    jobsUrl,
    partnerLimit,
    webUrl,
    authenticator,
    auth,
    credentialSources = auth?.credentialSources ?? [],
    followSession = auth?.followSession,
    trustedProxies,
    logger,
    liveLimits = {},
    commandTimeoutMs,
    checkWaitMs,
  } = options
  const notMade = (projector: string) => ({ trouble: `The ${projector} projector has not made the read model yet.` })
  const health = createHealth(
    {
      loans: () => (readers.loans.ready() ? {} : notMade('edge')),
      consents: () => (readers.consents.ready() ? {} : notMade('edge')),
    },
    // The edge serves whoever applies for a loan also while Postgres is away.
    {
      underwriting: async () => ((await readers.underwriting.ready()) ? {} : notMade('dashboard')),
      issuer: authenticator.status,
    },
  )
  const credentialsOf = createCredentials(authenticator, credentialSources)
  const metrics = createMetrics()
  const server = await createServer({
    title: 'Headwater',
    description: 'Commands are answered with a position; send it as `after` to a query to read your own write.',
    logger,
    health,
    metrics,
    statuses: { loan_not_found: 404, read_model_not_ready: 503, read_model_unavailable: 503 },
    contentSecurityPolicy,
    credentialsOf,
    accepted: { issuer: authenticator.issuer, cookies: true, limitsPartners: true },
    trustedProxies,
  })
  // Before partners are limited: a hospital asks at every view of a record, and is not to be kept from asking.
  const currency = watchCurrency(store, readers.consents, consents.categories)
  registerConsentCheck(server, { reader: readers.consents, currency, waitMs: checkWaitMs })
  limitPartners(server, partnerLimit)
  const queries = {
    loans: startLiveQueries(readers.loans, logger),
    consents: startLiveQueries(readers.consents, logger),
    underwriting: startLiveQueries(readers.underwriting, logger),
  }
  server.addHook('onClose', async () => {
    await Promise.all(Object.values(queries).map(({ stop }) => stop()))
  })

  await auth?.register(server)
  await registerApiDocs(server)
  await registerLive(server, {
    queries,
    credentialsOf,
    followSession,
    isOwnOrigin: auth?.isOwnOrigin,
    limits: liveLimits,
    metrics,
  })
  registerQueries(server, readers.loans)
  registerUnderwriting(server, readers.underwriting)
  registerLoanHistory(server, store)
  registerConsents(server, readers.consents)
  registerConsentHistory(server, { reader: readers.consents, store })
  await registerCommands(server, serviceUrls, { applying: auth?.applying, answerTimeoutMs: commandTimeoutMs })
  await registerWebhooks(server, jobsUrl)
  await registerPages(server, webUrl)
  return server
}
