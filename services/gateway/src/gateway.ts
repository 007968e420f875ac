// The front door: forwards commands, answers queries, serves live queries, passes on everything else to the pages.
import { contexts } from '@headwater/deciders/contexts'
import type { Audit } from '@headwater/eventstore/audit'
import type { EventStore } from '@headwater/eventstore/client/client'
import type { Authenticator } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { startLiveQueries } from '@headwater/live/live-queries'
import { watchCurrency } from '@headwater/projections/freshness/freshness'
import type { Follower } from '@headwater/projections/operate/followers'
import { dashboardModels, edgeModels, type Readers } from '@headwater/read-models/read-models'
import type { Pool } from 'pg'
import { contentSecurityPolicy, registerApiDocs } from './api-docs.ts'
import { registerLooks } from './audit/looks.ts'
import type { GatewayAuth } from './auth/auth.ts'
import { createCredentials } from './auth/credentials.ts'
import { gatewayContexts } from './contexts.ts'
import { forwardCommands, type ServiceUrls } from './forwarding/commands.ts'
import type { Parts } from './gateway-context.ts'
import { type LiveLimits, registerLive } from './live/live.ts'
import { topics } from './live/topics.ts'
import { registerOperations } from './operations/operations.ts'
import { registerWebhooks } from './operations/webhooks.ts'
import { registerPages } from './pages.ts'
import { limitPartners, type PartnerLimitOptions } from './partner-limit.ts'
import type { People } from './people.ts'
import type { Rows } from './read-after.ts'

const statuses = Object.fromEntries(contexts.flatMap(({ api }) => Object.entries(api?.statuses ?? {})))

export type GatewayOptions = {
  readonly readers: Pick<Readers, 'edge' | 'postgres'>
  readonly store: Pick<EventStore, 'readStream' | 'head' | 'eventAt' | 'eventAfter'>
  /** What operators see and steer, and where it is counted what waits. */
  readonly operations: { readonly followers: readonly Follower[]; readonly pool: Pool }
  readonly serviceUrls: ServiceUrls
  readonly jobsUrl: string
  readonly partnerLimit: PartnerLimitOptions
  readonly webUrl: string
  readonly authenticator: Authenticator
  /** Sessions and capabilities; what is left out of it is not there, and without it only bearer tokens say who asks. */
  readonly auth?: Partial<GatewayAuth>
  readonly people: Pick<People, 'namesOf'>
  readonly trustedProxies?: string | undefined
  /** Where it is written down what people are refused and look at. */
  readonly audit: Audit
  readonly metrics: Metrics
  readonly logger: Logger
  readonly liveLimits?: Partial<LiveLimits>
  readonly commandTimeoutMs?: number | undefined
  /** For the read model to become current, before a check is answered that it is not. */
  readonly checkWaitMs?: number | undefined
}

/** @throws when there is none of this name */
const required =
  <Value>(values: ReadonlyMap<string, Value>) =>
  (name: string): Value => {
    const value = values.get(name)
    if (value === undefined) throw new Error(`There is no ${name} here.`)
    return value
  }

export const createGateway = async (options: GatewayOptions): Promise<HttpServer> => {
  const {
    readers,
    store,
    operations,
    serviceUrls,
    jobsUrl,
    partnerLimit,
    webUrl,
    authenticator,
    auth = {},
    people,
    trustedProxies,
    audit,
    metrics,
    logger,
    liveLimits = {},
    commandTimeoutMs,
    checkWaitMs,
  } = options
  const notMade = (projector: string) => ({ trouble: `The ${projector} projector has not made the read model yet.` })
  const edge = new Map(
    edgeModels.map(({ name }) => {
      const reader = readers.edge(name)
      return [name, { reader, currency: watchCurrency(reader) }]
    }),
  )
  /** Existing rows are served even while they are not current. */
  const atEdge =
    ({ reader, currency }: Rows) =>
    async () =>
      reader.ready() ? { trouble: await currency.trouble(), serves: true } : notMade('edge')
  const inPostgres = (name: string) => async () => {
    if (!(await readers.postgres(name).ready())) return notMade('dashboard')
    const isWritten = await operations.followers.find((follower) => follower.name === name)?.isWritten()
    return isWritten === false ? { trouble: 'It stands still: no dashboard-projector writes it.' } : {}
  }
  const health = createHealth(
    Object.fromEntries([...edge].map(([name, rows]) => [name, atEdge(rows)])),
    // The edge serves whoever applies for a loan also while Postgres is away.
    {
      ...Object.fromEntries(dashboardModels.map(({ name }) => [name, inPostgres(name)])),
      issuer: authenticator.status,
      limits: partnerLimit.limits.status,
      ...(auth.tables && { tables: auth.tables }),
    },
  )
  const credentialsOf = createCredentials(authenticator, auth.credentialSources ?? [])
  const server = await createServer({
    title: 'Headwater',
    description:
      'Commands are answered with a position; send it as `after` to a query to read your own write. Bodies are UTF-8. Text is trimmed and kept in Unicode normal form C; names, addresses and searches are one line without control, invisible or direction-changing characters; UUIDs may be in any case. An optional field may be left out or null.',
    logger,
    health,
    metrics,
    statuses: { ...statuses, not_parked: 404, read_model_not_ready: 503, read_model_unavailable: 503 },
    contentSecurityPolicy,
    credentialsOf,
    trustedProxies,
    onRefused: audit.refused,
    onDone: audit.done,
    accepted: { issuer: authenticator.issuer, cookies: true, limitsPartners: true },
  })
  const limit = limitPartners(server, partnerLimit)
  const followed = [...new Set([...topics.values()].map(({ readModel }) => readModel))]
  const readerOf = (name: string) => edge.get(name)?.reader ?? readers.postgres(name)
  const queries = new Map(followed.map((name) => [name, startLiveQueries(readerOf(name), logger)]))
  server.addHook('onClose', async () => {
    await Promise.all([...queries.values()].map(({ stop }) => stop()))
  })

  const looks = registerLooks(server, audit)
  await auth.register?.(server)
  await registerApiDocs(server)
  const live = await registerLive(server, {
    queriesOf: required(queries),
    credentialsOf,
    followSession: auth.followSession,
    isOwnOrigin: auth.isOwnOrigin,
    partnerLimit: limit,
    audit,
    looks,
    limits: liveLimits,
    metrics,
  })
  const parts: Parts = {
    server,
    edge: required(edge),
    postgres: readers.postgres,
    store,
    people,
    audit,
    applying: auth.applying,
    checkWaitMs,
  }
  for (const { register } of gatewayContexts) register(parts)
  const forwardings = Object.assign({}, ...gatewayContexts.map(({ forwardings }) => forwardings?.(parts)))
  await forwardCommands(server, serviceUrls, contexts, forwardings, {
    answerTimeoutMs: commandTimeoutMs,
  })
  await registerWebhooks(server, jobsUrl)
  await registerOperations(server, { ...operations, store, jobsUrl, live, people })
  await registerPages(server, webUrl)
  return server
}
