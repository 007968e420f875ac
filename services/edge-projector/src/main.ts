// The edge projector as a process: wiring only.
import { connectEventStore } from '@headwater/eventstore/client'
import { loadConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { runServer } from '@headwater/http-kit/run-server'
import { createServer } from '@headwater/http-kit/server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { consents } from '@headwater/read-models/consents'
import { loans } from '@headwater/read-models/loans'
import { startProjection } from '@headwater/read-models/projection'
import { measureProjections, projectionStatus } from '@headwater/read-models/projection-status'
import type { ReadModel } from '@headwater/read-models/read-model'
import { openSqliteSink } from '@headwater/read-models/sqlite'
import { config } from './config.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'edge-projector', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const sinkOf = (projection: ReadModel) => openSqliteSink({ directory: settings.EDGE_DIRECTORY, projection, logger })
const projections = {
  loans: startProjection({ store, sink: sinkOf(loans), projection: loans, logger }),
  consents: startProjection({ store, sink: sinkOf(consents), projection: consents, logger }),
}
const metrics = createMetrics()
measureProjections(metrics.gauge, projections)
const server = await createServer({
  title: 'Headwater edge projector',
  description: 'Keeps the read models of its node; has no commands and no queries.',
  logger,
  health: createHealth(
    Object.fromEntries(Object.entries(projections).map(([name, projection]) => [name, projectionStatus(projection)])),
  ),
  metrics,
})
await runServer(server, { host: settings.HOST, port: settings.PORT }, async () => {
  await Promise.all(Object.values(projections).map(({ stop }) => stop()))
  await store.close()
})
