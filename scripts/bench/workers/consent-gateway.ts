// A gateway in a process of its own with an empty route beside the check of consents, and the load on both.

import { consentApi } from '@headwater/deciders/consent/api'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { bearerCredentials } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer } from '@headwater/http-kit/server/server'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { openSharedLimits } from '@headwater/postgres/shared-limits'
import { openReaders } from '@headwater/read-models/read-models'
import { authenticatorOf } from '@headwater/test-kit/issuer'
import { openSessionDatabase } from '../../../services/gateway/src/auth/sign-in/sessions.ts'
import { createGateway } from '../../../services/gateway/src/gateway.ts'
import { createPeople } from '../../../services/gateway/src/people.ts'
import { peerFile } from '../peers.ts'
import { serveTasks } from '../worker.ts'

/** Nothing listens there: neither checks nor the empty route need what is behind it. */
const { check } = consentApi.queries
const nowhere = 'http://127.0.0.1:1'
const noDatabase = 'postgres://127.0.0.1:1/headwater'

/** Those whom a city's hospitals treat: their records are opened again and again, and lie anywhere among all. */
const patientsAskedMax = 10_000

export type CheckLoad = {
  readonly url: string
  readonly path: string
  readonly token: string
  readonly patients: number
  readonly connections: number
  readonly seconds: number
}

const tasks = {
  start: async ({
    eventStoreUrl,
    directory,
    env,
  }: {
    readonly eventStoreUrl: string
    readonly directory: string
    readonly env: Readonly<Record<string, string>>
  }) => {
    const logger = createLogger({ service: 'gateway', level: 'fatal' })
    const authenticator = authenticatorOf(env)
    const store = connectEventStore({ url: eventStoreUrl, logger })
    const metrics = createMetrics()
    const pool = openPool(noDatabase, 1, logger)
    const limits = openSharedLimits({ pool, table: 'partner_requests', gauge: metrics.gauge, logger })
    const gateway = await createGateway({
      readers: openReaders({ directory, url: noDatabase, logger }),
      store,
      serviceUrls: { loan: nowhere, consent: nowhere },
      jobsUrl: nowhere,
      operations: { followers: [], pool },
      partnerLimit: { limits, perMinute: 1_000_000 },
      webUrl: nowhere,
      authenticator,
      people: createPeople(openSessionDatabase(noDatabase, logger), logger),
      audit: startAudit({ store, logger, days: 1, metrics }),
      metrics,
      trustedProxies: 'loopback',
      logger,
    })
    // Beside it in the same process: partners' requests are not counted here, as checks are not.
    const empty = await createServer({
      title: 'Empty',
      description: 'Checks token and body, and answers.',
      logger,
      health: createHealth({}),
      credentialsOf: bearerCredentials(authenticator),
    })
    empty.post(
      '/bench/empty',
      { config: { rules: check.rules }, schema: { body: check.body, response: { 200: check.answer } } },
      async () => ({ hasConsent: true, at: new Date().toISOString() }),
    )
    const listening = { host: '127.0.0.1', port: 0 }
    return { gatewayUrl: await gateway.listen(listening), emptyUrl: await empty.listen(listening) }
  },
  /** Requests a second, and the median time of one in ms. */
  load: async ({ url, path, token, patients, connections, seconds }: CheckLoad) => {
    const { default: autocannon } = await import(peerFile('autocannon', 'autocannon.js'))
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const asked = Math.min(patients, patientsAskedMax)
    const question = () => {
      const n = Math.floor(Math.random() * asked) * Math.floor(patients / asked)
      return JSON.stringify({
        patientId: `patient-${n}`,
        grantee: { kind: 'doctor', id: `doctor-${n % 10}` },
        target: 'exams',
      })
    }
    const result = await autocannon({
      url: `${url}${path}`,
      connections,
      duration: seconds,
      requests: [{ method: 'POST', setupRequest: (request: object) => ({ ...request, headers, body: question() }) }],
    })
    if (result.non2xx > 0 || result.errors > 0)
      throw new Error(`${result.non2xx + result.errors} were not answered 200.`)
    return { perSecond: Number(result.requests.average), p50Ms: Number(result.latency.p50) }
  },
  /** The median time of one check after the other, in ms. */
  oneByOne: async ({
    url,
    path,
    token,
    patients,
    count,
  }: Omit<CheckLoad, 'connections' | 'seconds'> & { readonly count: number }) => {
    const times: number[] = []
    for (let n = 0; n < count; n++) {
      const patient = Math.floor(Math.random() * patients)
      const sent = performance.now()
      const { status } = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({
          patientId: `patient-${patient}`,
          grantee: { kind: 'doctor', id: `doctor-${patient % 10}` },
        }),
      })
      if (status !== 200) throw new Error(`A check was answered ${status}.`)
      times.push(performance.now() - sent)
    }
    return times.toSorted((a, b) => a - b)[Math.floor(count / 2)] ?? Number.NaN
  },
}
export type ConsentGatewayTasks = typeof tasks

serveTasks(tasks)
