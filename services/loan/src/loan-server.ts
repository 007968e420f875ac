// The loan service without a process around it: commands in over HTTP, events out to the store.
import { loanApi } from '@headwater/deciders/loan/api'
import { loanStream } from '@headwater/deciders/loan/streams'
import type { Audit } from '@headwater/eventstore/audit'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { type Authenticator, bearerCredentials } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import { type ApplyOptions, createApply } from './apply.ts'
import { registerRoutes } from './routes.ts'

export type LoanServerOptions = Omit<ApplyOptions, 'loans'> & {
  readonly authenticator: Authenticator
  readonly audit: Pick<Audit, 'refused'>
  readonly applyMsMax?: number | undefined
  readonly metrics: Metrics
}

export const createLoanServer = async ({
  authenticator,
  audit,
  applyMsMax,
  metrics,
  ...options
}: LoanServerOptions): Promise<HttpServer> => {
  const { store, bureau, logger } = options
  const health = createHealth(
    {
      'event store': async () => {
        await store.head()
        return {}
      },
    },
    // People without an account may apply while the issuer is away, and all may while the bureau is.
    {
      issuer: authenticator.status,
      'credit bureau': () => ({
        trouble: bureau.isGivenUp() ? 'It fails; applications are accepted and checked later.' : undefined,
      }),
    },
  )
  const server = await createServer({
    title: 'Headwater loans',
    description: 'Commands on loans.',
    logger,
    health,
    metrics,
    statuses: loanApi.statuses,
    credentialsOf: bearerCredentials(authenticator),
    onRefused: audit.refused,
  })
  const commands = createCommandHandler({ store, stream: loanStream, logger })
  registerRoutes(server, { commands, apply: createApply({ ...options, loans: commands }), applyMsMax })
  return server
}
