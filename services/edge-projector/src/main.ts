// The edge projector as a process: wiring only.
import { connectEventStore } from '@headwater/eventstore/client'
import { loadConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { runServer } from '@headwater/http-kit/run-server'
import { createServer } from '@headwater/http-kit/server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { loans } from '@headwater/read-models/loans'
import { startProjection } from '@headwater/read-models/projection'
import { lagMetric, lagSamples, projectionStatus } from '@headwater/read-models/projection-status'
import { openSqliteSink } from '@headwater/read-models/sqlite'
import { config } from './config.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'edge-projector', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const sink = openSqliteSink({ directory: settings.EDGE_DIRECTORY, projection: loans, logger })
const projection = startProjection({ store, sink, projection: loans, logger })
const metrics = createMetrics()
metrics.gauge(lagMetric.name, lagMetric.help, () => lagSamples({ [loans.name]: projection }))
const server = await createServer({
  title: 'Headwater edge projector',
  description: 'Keeps the read models of its node; has no commands and no queries.',
  logger,
  health: createHealth({ [loans.name]: projectionStatus(projection) }),
  metrics,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await projection.stop()
  await store.close()
})
