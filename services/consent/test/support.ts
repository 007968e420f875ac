// A consent service over a store of the test's own, and the people who use it.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client'
import { authSettings, createAuthenticator } from '@headwater/http-kit/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createMetrics } from '@headwater/http-kit/metrics'
import { createLogger } from '@headwater/http-kit/telemetry'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { startIssuer, type TokenOptions } from '../../../packages/http-kit/test/issuer.ts'
import { createConsentServer } from '../src/consent-server.ts'

const logger = createLogger({ service: 'consent', level: process.env.LOG_LEVEL ?? 'silent' })

/** The EventStoreDB that EVENTSTORE_URL names, or an embedded node of this test's own. */
const startStore = async (): Promise<string> => {
  if (process.env.EVENTSTORE_URL) return process.env.EVENTSTORE_URL
  const node = await start({ port: 0, memory: true })
  onTestFinished(() => node.stop())
  return node.connectionString
}

export const startConsent = async () => {
  const issuer = await startIssuer()
  onTestFinished(() => issuer.stop())
  const store = connectEventStore({ url: await startStore(), logger })
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const metrics = createMetrics()
  const audit = startAudit({ store, logger, days: 1, metrics })
  const server = await createConsentServer({ store, authenticator, audit, metrics, logger })
  onTestFinished(async () => {
    await server.close()
    await audit.stop()
    await store.close()
  })
  // Of this test's own: on a store that tests share, nobody else's consents are in the way.
  const run = randomUUID()
  const paula = { sub: `paula-${run}` }
  const dora = { sub: `dora-${run}`, roles: ['doctor'] }
  return {
    server,
    issuer,
    paula,
    dora,
    doctor: { kind: 'doctor', id: dora.sub } as const,
    post: async (
      as: TokenOptions | null,
      name: string,
      payload: object,
      headers: Readonly<Record<string, string>> = {},
    ) => {
      const authorization = as && { authorization: `Bearer ${await issuer.tokenOf(as)}` }
      const url = `/api/consents/${name}`
      const answer = await server.inject({ method: 'POST', url, payload, headers: { ...authorization, ...headers } })
      return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
    },
    deletePatient: (patientId: string) => store.tombstone(`patient-${patientId}`),
    eventsOf: async (patientId: string) => {
      const events = await store.readStream(`patient-${patientId}`, 0n, 100)
      return events.map(({ type, data, metadata }) => ({ type, data, metadata }))
    },
  }
}
