// The dashboard projector as a process: wiring only. Of several, one writes each read model and the others stand by.
import { connectEventStore } from '@headwater/eventstore/client/client'
import { loadConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/server/health'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createServer } from '@headwater/http-kit/server/server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import type { ReadModel } from '@headwater/projections/model/read-model'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import { measureProjections, projectionStatus } from '@headwater/projections/run/projection-status'
import { dashboardModels } from '@headwater/read-models/read-models'
import { config } from './config.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'dashboard-projector', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
/** Each holds a lease of its own: projectors may share the read models among them. */
const sinkOf = (projection: ReadModel) => openPostgresSink({ url: settings.DATABASE_URL, projection, logger })
const projections = Object.fromEntries(
  dashboardModels.map((projection) => [
    projection.name,
    startProjection({ store, sink: sinkOf(projection), projection, logger }),
  ]),
)
const metrics = createMetrics()
measureProjections(metrics.gauge, projections)
const server = await createServer({
  title: 'Headwater dashboard projector',
  description: 'Keeps the read models in Postgres; has no commands and no queries.',
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
