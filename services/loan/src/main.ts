// The loan service as a process: wiring only.
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { createAuthenticator } from '@headwater/http-kit/access/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { connectCreditBureau } from '@headwater/third-parties/loan/credit-bureau'
import { config } from './config.ts'
import { faultAt } from './fault-point.ts'
import { createLoanServer } from './loan-server.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'loan', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const bureau = connectCreditBureau({ url: settings.CREDIT_BUREAU_URL, logger })
const metrics = createMetrics()
const audit = startAudit({ store, logger, days: settings.AUDIT_DAYS, metrics })
const server = await createLoanServer({
  store,
  bureau,
  authenticator: createAuthenticator(settings, logger),
  audit,
  metrics,
  applicantIdOf: (nationalId) => keyedId(settings.APPLICANT_KEY, nationalId),
  reached: faultAt(settings.FAULT_POINT),
  logger,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await audit.stop()
  await Promise.all([store.close(), bureau.close()])
})
