// The sandbox as a process: wiring only.
import { loadConfig } from '@headwater/http-kit/config'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { config } from './config.ts'
import { startMailSink } from './mail-sink.ts'
import { createSandbox } from './sandbox.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'sandbox', level: settings.LOG_LEVEL })
const mailSink = await startMailSink({ host: settings.HOST, port: settings.SMTP_PORT, logger })
const sandbox = await createSandbox(logger, mailSink)
await runServer(sandbox, { host: settings.HOST, port: settings.PORT }, () => mailSink.close())
