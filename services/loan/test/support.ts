// What the loan service's tests share: a store, a credit bureau that can be told to misbehave, and services on top of them.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { keyedId } from '@headwater/eventstore/keyed-id'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { authenticatorOf, startIssuer } from '@headwater/test-kit/issuer'
import { connectCreditBureau } from '@headwater/third-parties/loan/credit-bureau'
import { onTestFinished } from 'vitest'
import { startBureau } from '../../../packages/third-parties/test/support.ts'
import { createLoanServer } from '../src/loan-server.ts'

export const logger = createLogger({ service: 'loan', level: process.env.LOG_LEVEL ?? 'silent' })

export const ada = {
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: '555555AA',
  amount: 10_000,
}

/** The EventStoreDB that EVENTSTORE_URL names, or an embedded node of this test's own. */
const startStore = async (): Promise<string> => {
  if (process.env.EVENTSTORE_URL) return process.env.EVENTSTORE_URL
  const node = await start({ port: 0, memory: true })
  onTestFinished(() => node.stop())
  return node.connectionString
}

type Sent = {
  /** A token; null for none. By default an applicant without an account applies and withdraws, an underwriter decides. */
  as?: string | null
  payload?: unknown
  key?: string
  ifMatch?: string
  headers?: Record<string, string>
}

export type ServiceOptions = {
  /** Who decides on loans. */
  underwriter?: string
  nowMs?: () => number
  applyMsMax?: number
  /** How long the bureau is waited for. */
  bureauMsMax?: number
  /** The store as the service has it, made from the real one. */
  through?: (store: EventStore) => EventStore
}

/** A store and a bureau, and as many services on them as a test asks for. */
export const startLoan = async (options: { storeUrl?: string } = {}) => {
  const storeUrl = options.storeUrl ?? (await startStore())
  const bureau = await startBureau()
  const issuer = await startIssuer()
  onTestFinished(issuer.stop)
  // Of this test's own: on a store that tests share, nobody else's applicants are in the way.
  const applicantKey = randomUUID()
  const applicantIdOf = (nationalId: string) => keyedId(applicantKey, nationalId)

  const service = async (options: ServiceOptions = {}) => {
    const { underwriter = 'uma', nowMs, applyMsMax, bureauMsMax, through = (store) => store } = options
    const store = connectEventStore({ url: storeUrl, logger })
    const creditBureau = connectCreditBureau({
      url: bureau.url,
      logger,
      ...(nowMs && { nowMs }),
      ...(bureauMsMax && { answerTimeoutMs: bureauMsMax }),
    })
    const underwriterToken = await issuer.tokenOf({ sub: underwriter, roles: ['underwriter'] })
    const tokenFor = (url: string) => {
      const [, loanId, command] = /^\/api\/loans\/([^/]+)\/(.+)$/.exec(url) ?? []
      if (loanId === undefined) return null
      return command === 'withdraw' ? issuer.capabilityOf(loanId) : underwriterToken
    }
    const metrics = createMetrics()
    const audit = startAudit({ store, logger, days: 1, metrics })
    const server = await createLoanServer({
      store: through(store),
      applyMsMax,
      bureau: creditBureau,
      authenticator: authenticatorOf(issuer.env),
      audit,
      metrics,
      applicantIdOf,
      reached: () => undefined,
      logger,
    })
    onTestFinished(async () => {
      await server.close()
      await audit.stop()
      await Promise.all([store.close(), creditBureau.close()])
    })
    const post = async (url: string, { as, payload, key, ifMatch, headers }: Sent = {}) => {
      const token = as === undefined ? await tokenFor(url) : as
      const answer = await server.inject({
        method: 'POST',
        url,
        ...(payload === undefined ? {} : { payload: payload as object }),
        headers: {
          ...headers,
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
          ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        },
      })
      return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
    }
    return {
      server,
      post,
      request: (change: object = {}, key: string = randomUUID()) =>
        post('/api/loans', { payload: { ...ada, ...change }, key }),
      eventsOf: async (loanId: string) => {
        const events = await store.readStream(`loan-${loanId}`, 0n, 100)
        return events.map(({ type, data, metadata }) => ({ type, data, metadata }))
      },
      deleteLoan: (loanId: string) => store.tombstone(`loan-${loanId}`),
      typesOf: async (loanId: string) => (await store.readStream(`loan-${loanId}`, 0n, 100)).map(({ type }) => type),
      reservationsOf: async (nationalId: string) => {
        const events = await store.readStream(`applicant-${applicantIdOf(nationalId)}`, 0n, 1_000)
        return events.map(({ type, data, metadata }) => ({ type, data, metadata }))
      },
    }
  }
  return { storeUrl, issuer, bureau, service }
}
