// The loan service without a process around it: commands in over HTTP, events out to the store.
import { loan } from '@headwater/deciders/loan/loan'
import { type LoanEvent, loanEvents } from '@headwater/deciders/loan/loan-events'
import type { EventStore } from '@headwater/eventstore/client'
import { createCodec } from '@headwater/eventstore/codec'
import { createCommandHandler } from '@headwater/eventstore/handle-command'
import type { Actor } from '@headwater/http-kit/auth'
import { createHealth } from '@headwater/http-kit/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server'
import type { Logger } from '@headwater/http-kit/telemetry'
import type { CreditBureau } from '@headwater/third-parties/credit-bureau'
import { registerRoutes } from './routes.ts'

/** Every other rejection is a rule that refuses: 409. */
const statuses = { loan_not_found: 404, own_loan: 403, credit_bureau_unavailable: 503 }

export type LoanServerOptions = {
  readonly store: EventStore
  readonly bureau: CreditBureau
  /** Who sends every request, until sign-in exists. */
  readonly actor: Actor
  readonly logger: Logger
}

export const createLoanServer = async ({ store, bureau, actor, logger }: LoanServerOptions): Promise<HttpServer> => {
  const health = createHealth({
    'event store': async () => {
      await store.head()
      return {}
    },
    'credit bureau': () => ({ trouble: bureau.isGivenUp() ? 'It fails; it is asked again in a moment.' : undefined }),
  })
  const server = await createServer({
    title: 'Headwater loans',
    description: 'Commands on loans.',
    logger,
    health,
    statuses,
  })
  const codec = createCodec<LoanEvent>(loanEvents)
  const commands = createCommandHandler({ store, decider: loan, codec, category: 'loan', logger })
  registerRoutes(server, { commands, bureau, actor })
  return server
}
