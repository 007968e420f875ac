// The consent service without a process around it: commands in over HTTP, events out to the store.
import { consentApi } from '@headwater/deciders/consent/api'
import { patientStream } from '@headwater/deciders/consent/streams'
import type { Audit } from '@headwater/eventstore/audit'
import type { EventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { type Authenticator, bearerCredentials } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { Directory } from './directory.ts'
import { registerRoutes } from './routes.ts'

export type ConsentServerOptions = {
  readonly store: EventStore
  readonly directory: Pick<Directory, 'find' | 'isGivenUp'>
  /** Names the streams that take requests to patients who do not exist. */
  readonly unknownKey: string
  readonly authenticator: Authenticator
  readonly audit: Pick<Audit, 'refused'>
  readonly metrics: Metrics
  readonly logger: Logger
}

export const createConsentServer = async (options: ConsentServerOptions): Promise<HttpServer> => {
  const { store, directory, unknownKey, authenticator, audit, metrics, logger } = options
  const health = createHealth(
    {
      'event store': async () => {
        await store.head()
        return {}
      },
      issuer: authenticator.status,
    },
    // Without it consents are still revoked and requests declined.
    {
      'directory of people': () => ({
        trouble: directory.isGivenUp() ? 'It does not answer; nothing can be granted or asked for.' : undefined,
      }),
    },
  )
  const server = await createServer({
    title: 'Headwater consents',
    description: 'Commands on who may see which part of a health record.',
    logger,
    health,
    metrics,
    statuses: consentApi.statuses,
    credentialsOf: bearerCredentials(authenticator),
    onRefused: audit.refused,
    accepted: { issuer: authenticator.issuer },
  })
  const commands = createCommandHandler({ store, stream: patientStream, logger })
  registerRoutes(server, { commands, directory, head: store.head, unknownKey })
  return server
}
