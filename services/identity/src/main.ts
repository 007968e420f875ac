// The identity service as a process: wiring only.
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { loadConfig } from '@headwater/http-kit/config'
import { peopleServerOf } from '@headwater/http-kit/server/people-server'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { config } from './config.ts'
import { createIdentityServer } from './identity-server.ts'

const connectionsMax = 10

const settings = loadConfig(config)
const logger = createLogger({ service: 'identity', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const pool = openPool(settings.DATABASE_URL, connectionsMax, logger)
const metrics = createMetrics()
const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
const { server, find } = await createIdentityServer({
  store,
  pool,
  issuer: settings.IDENTITY_ISSUER,
  audience: settings.OIDC_AUDIENCE,
  key: settings.IDENTITY_KEY,
  cookieKeys: settings.IDENTITY_COOKIE_KEYS,
  clients: settings.IDENTITY_CLIENTS ?? settings.IDENTITY_CLIENTS_FILE ?? [],
  demo: settings.IDENTITY_DEMO ? { publicUrl: settings.PUBLIC_URL } : undefined,
  trustedProxies: settings.TRUSTED_PROXIES,
  audit,
  metrics,
  logger,
})
const close = async () => {
  await audit.stop()
  await Promise.all([store.close(), pool.end()])
}
const people = await peopleServerOf(settings, { find, logger })
await runServer(server, { host: settings.HOST, port: settings.PORT }, close, people)
