// The gateway as a process: wiring only.
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createAuthenticator } from '@headwater/http-kit/access/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { peopleServerOf } from '@headwater/http-kit/server/people-server'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { openSharedLimits } from '@headwater/postgres/shared-limits'
import { followersIn } from '@headwater/read-models/followers'
import { openReaders } from '@headwater/read-models/read-models'
import { createGatewayAuth } from './auth/auth.ts'
import { config, serviceUrlsOf } from './config.ts'
import { connectContacts } from './consent/contacts.ts'
import { createGateway } from './gateway.ts'

/** To count what partners ask. */
const limitConnectionsMax = 4
/** For operators. */
const operationsConnectionsMax = 3

const settings = loadConfig(config)
const logger = createLogger({ service: 'gateway', level: settings.LOG_LEVEL })
const readers = openReaders({ directory: settings.EDGE_DIRECTORY, url: settings.DATABASE_URL, logger })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const authenticator = createAuthenticator(settings, logger)
const serviceUrls = serviceUrlsOf(settings)
const contacts = connectContacts(serviceUrls, logger)
const auth = createGatewayAuth(settings, { authenticator, knowsEmail: contacts.register, logger })
const metrics = createMetrics()
const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
const limitPool = openPool(settings.DATABASE_URL, limitConnectionsMax, logger)
const limits = openSharedLimits({ pool: limitPool, table: 'partner_requests', gauge: metrics.gauge, logger })
const operationsPool = openPool(settings.DATABASE_URL, operationsConnectionsMax, logger)
const gateway = await createGateway({
  readers,
  store,
  operations: { followers: followersIn(settings.EDGE_DIRECTORY, operationsPool), pool: operationsPool },
  serviceUrls,
  checkWaitMs: settings.CONSENT_CHECK_WAIT_MS,
  jobsUrl: settings.JOBS_URL,
  partnerLimit: { limits, perMinute: settings.PARTNER_LIMIT_PER_MINUTE },
  webUrl: settings.WEB_URL,
  authenticator,
  auth,
  people: auth.people,
  trustedProxies: settings.TRUSTED_PROXIES,
  audit,
  metrics,
  logger,
})
const close = async () => {
  await Promise.all([audit.stop(), limits.close()])
  await Promise.all([
    readers.close(),
    store.close(),
    auth.close(),
    contacts.close(),
    limitPool.end(),
    operationsPool.end(),
  ])
}
const people = await peopleServerOf(settings, { find: auth.people.find, logger })
await runServer(gateway, { host: settings.HOST, port: settings.PORT }, close, people)
