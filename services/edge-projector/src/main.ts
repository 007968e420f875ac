// The edge projector as a process: wiring only.
import { connectEventStore } from '@headwater/eventstore/client/client'
import { loadConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/server/health'
import { runServer } from '@headwater/http-kit/server/run-server'
import { createServer } from '@headwater/http-kit/server/server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import type { ReadModel } from '@headwater/projections/model/read-model'
import { startProjection } from '@headwater/projections/run/projection'
import { measureProjections, projectionStatus } from '@headwater/projections/run/projection-status'
import { withSeed } from '@headwater/projections/sqlite/seed'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { edgeModels } from '@headwater/read-models/read-models'
import { config } from './config.ts'

const settings = loadConfig(config)
const logger = createLogger({ service: 'edge-projector', level: settings.LOG_LEVEL })
const store = connectEventStore({ url: settings.EVENTSTORE_URL, logger })
const { EDGE_DIRECTORY: directory, EDGE_SEED_DIRECTORY: seedDirectory } = settings
const sinkOf = (projection: ReadModel) => {
  const options = { directory, projection, logger }
  return withSeed(openSqliteSink(options), { ...options, seedDirectory, store })
}
const projections = Object.fromEntries(
  edgeModels.map((projection) => [
    projection.name,
    startProjection({ store, sink: sinkOf(projection), projection, logger }),
  ]),
)
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
