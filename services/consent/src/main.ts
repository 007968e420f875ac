// The consent service as a process: wiring only.
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createAuthenticator } from '@headwater/http-kit/access/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { config } from './config.ts'
import { createConsentServer } from './consent-server.ts'
import { connectDirectory } from './directory.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'consent', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const authenticator = createAuthenticator(settings, logger)
const directory = connectDirectory({ url: settings.PEOPLE_URL, key: settings.PEOPLE_KEY, logger })
const metrics = createMetrics()
const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
const server = await createConsentServer({
  store,
  directory,
  unknownKey: settings.PEOPLE_KEY,
  authenticator,
  audit,
  metrics,
  logger,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await audit.stop()
  await Promise.all([store.close(), directory.close()])
})
