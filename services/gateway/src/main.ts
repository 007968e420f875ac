// The gateway as a process: wiring only.
import { developmentActor } from '@headwater/http-kit/auth'
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/run-server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { loans } from '@headwater/read-models/loans'
import { openSqliteReader } from '@headwater/read-models/sqlite-reader'
import { config } from './config.ts'
import { createGateway } from './gateway.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'gateway', level: settings.LOG_LEVEL })
const reader = openSqliteReader({ directory: settings.EDGE_DIRECTORY, projection: loans, logger })
const gateway = await createGateway({
  reader,
  serviceUrls: { loan: settings.LOAN_URL },
  webUrl: settings.WEB_URL,
  actor: developmentActor(settings.DEVELOPMENT_UNDERWRITER),
  logger,
})
await runServer(gateway, { host: settings.HOST, port: settings.PORT }, async () => reader.close())
