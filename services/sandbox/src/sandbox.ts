// Stands in for third parties in development and in tests; never part of production.
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer, type HttpServer } from '@headwater/http-kit/server/server'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { registerCreditBureau } from './credit-bureau.ts'
import { type MailSink, registerInbox } from './mail-sink.ts'
import { registerPartnerWebhooks } from './partner-webhooks.ts'

/** @param mailSink whose inbox it shows, where there is one */
export const createSandbox = async (logger: Logger, mailSink?: MailSink): Promise<HttpServer> => {
  const server = await createServer({
    title: 'Headwater sandbox',
    description: 'Stand-ins for third parties, which can be told to misbehave.',
    logger,
    health: createHealth({}),
  })
  registerCreditBureau(server)
  registerPartnerWebhooks(server)
  if (mailSink) registerInbox(server, mailSink)
  return server
}
