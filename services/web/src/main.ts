// The pages as a process: wiring only.
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { config } from './config.ts'
import { createWebServer } from './web-server.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'web', level: settings.LOG_LEVEL })
const web = await createWebServer({ gatewayUrl: settings.GATEWAY_URL, logger })
await runServer(web, { host: settings.HOST, port: settings.PORT }, async () => undefined)
