// The loan service as a process: wiring only.
import { connectEventStore } from '@headwater/eventstore/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { createAuthenticator } from '@headwater/http-kit/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/run-server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { connectCreditBureau } from '@headwater/third-parties/credit-bureau'
import { config } from './config.ts'
import { faultAt } from './fault-point.ts'
import { createLoanServer } from './loan-server.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'loan', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const bureau = connectCreditBureau({ url: settings.CREDIT_BUREAU_URL, logger })
const server = await createLoanServer({
  store,
  bureau,
  authenticator: createAuthenticator(settings, logger),
  applicantIdOf: (nationalId) => keyedId(settings.APPLICANT_KEY, nationalId),
  reached: faultAt(settings.FAULT_POINT),
  logger,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await Promise.all([store.close(), bureau.close()])
})
