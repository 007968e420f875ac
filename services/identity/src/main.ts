// The identity service as a process: wiring only.
import { connectEventStore } from '@headwater/eventstore/client'
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/run-server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { openPool } from '@headwater/read-models/postgres-pool'
import { config } from './config.ts'
import { createIdentityServer } from './identity-server.ts'

const connectionsMax = 10

const settings = loadConfig(config)
const logger = createLogger({ service: 'identity', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const pool = openPool(settings.DATABASE_URL, connectionsMax, logger)
const server = await createIdentityServer({
  store,
  pool,
  issuer: settings.IDENTITY_ISSUER,
  audience: settings.OIDC_AUDIENCE,
  key: settings.IDENTITY_KEY,
  cookieKeys: settings.IDENTITY_COOKIE_KEYS,
  clients: settings.IDENTITY_CLIENTS ?? settings.IDENTITY_CLIENTS_FILE ?? [],
  demo: settings.IDENTITY_DEMO ? { publicUrl: settings.PUBLIC_URL } : undefined,
  trustedProxies: settings.TRUSTED_PROXIES,
  logger,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await Promise.all([store.close(), pool.end()])
})
