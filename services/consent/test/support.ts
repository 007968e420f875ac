// A consent service over a store and a directory of the test file's own, and the people who use it.
import { randomUUID } from 'node:crypto'
import { start } from '@headwater/embedded-eventstore'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { authSettings, createAuthenticator } from '@headwater/http-kit/access/auth'
import { Problem } from '@headwater/http-kit/commands/problem'
import { parseConfig } from '@headwater/http-kit/config'
import { createPeopleServer } from '@headwater/http-kit/server/people-server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { startIssuer, type TokenOptions } from '@headwater/test-kit/issuer'
import { afterAll } from 'vitest'
import { z } from 'zod'
import { createConsentServer } from '../src/consent-server.ts'
import { connectDirectory } from '../src/directory.ts'

const logger = createLogger({ service: 'consent', level: process.env.LOG_LEVEL ?? 'silent' })
const key = randomUUID()

type Ending = () => unknown

/** The EventStoreDB that EVENTSTORE_URL names, or an embedded node of the test's own. */
const startStore = async (endings: Ending[]): Promise<string> => {
  if (process.env.EVENTSTORE_URL) return process.env.EVENTSTORE_URL
  const node = await start({ port: 0, memory: true })
  endings.unshift(node.stop)
  return node.connectionString
}

/** A directory with given people and roles, which a test can make fail. */
const startDirectory = async (endings: Ending[]) => {
  const people = new Map<string, readonly string[]>()
  let isAway = false
  const server = await createPeopleServer({
    key,
    find: async (id) => {
      if (isAway) throw new Problem(503, 'identity_starting', 'Not yet.')
      const roles = people.get(id)
      return roles && { roles }
    },
    logger,
  })
  const directory = connectDirectory({ url: await server.listen({ host: '127.0.0.1', port: 0 }), key, logger })
  endings.unshift(directory.close, () => server.close())
  return {
    ...directory,
    people,
    whileAway: async <Result>(work: () => Promise<Result>): Promise<Result> => {
      isAway = true
      return work().finally(() => {
        isAway = false
      })
    },
  }
}

const startAll = async () => {
  const endings: Ending[] = []
  const issuer = await startIssuer()
  endings.unshift(issuer.stop)
  const store = connectEventStore({ url: await startStore(endings), logger })
  const directory = await startDirectory(endings)
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const metrics = createMetrics()
  const audit = startAudit({ store, logger, days: 1, metrics })
  const server = await createConsentServer({
    store,
    directory,
    unknownKey: key,
    authenticator,
    audit,
    metrics,
    logger,
  })
  endings.unshift(() => server.close(), audit.stop, store.close)
  return {
    issuer,
    store,
    directory,
    server,
    stop: async () => {
      for (const end of endings) await end()
    },
  }
}

let started: ReturnType<typeof startAll> | undefined
afterAll(async () => (await started)?.stop())

/** People of the test's own, in the directory of the one service that the tests of a file share. */
export const startConsent = async () => {
  started ??= startAll()
  const { issuer, store, directory, server } = await started
  const run = randomUUID()
  const paula = { sub: `paula-${run}` }
  const dora = { sub: `dora-${run}`, roles: ['doctor'] }
  directory.people.set(paula.sub, [])
  directory.people.set(dora.sub, dora.roles)
  const eventsOf = async (patientId: string) => {
    const events = await store.readStream(`patient-${patientId}`, 0n, 100)
    return events.map(({ type, data, metadata }) => ({ type, data, metadata }))
  }
  return {
    server,
    issuer,
    directory,
    run,
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
    eventsOf,
    store,
  }
}
