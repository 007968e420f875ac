// What auditors find, from the refusal or the look itself to the answer of their query; and what is not shown while it cannot be written down.
import { randomUUID } from 'node:crypto'
import { owner, role } from '@headwater/deciders/policy'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client'
import { authSettings, bearerCredentials, createAuthenticator } from '@headwater/http-kit/auth'
import { parseConfig } from '@headwater/http-kit/config'
import { createHealth } from '@headwater/http-kit/health'
import { createMetrics } from '@headwater/http-kit/metrics'
import { createServer } from '@headwater/http-kit/server'
import { createLogger } from '@headwater/http-kit/telemetry'
import { audit as auditModel } from '@headwater/read-models/audit'
import { loans } from '@headwater/read-models/loans'
import { openPostgresSink } from '@headwater/read-models/postgres'
import { openPostgresReader } from '@headwater/read-models/postgres-reader'
import { startProjection } from '@headwater/read-models/projection'
import { openSqliteReader } from '@headwater/read-models/sqlite-reader'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { startIssuer } from '../../../packages/http-kit/test/issuer.ts'
import { testDatabase } from '../../../scripts/test/database.ts'
import { registerAudit } from '../src/audit.ts'
import { registerLooks } from '../src/looks.ts'
import { registerRevealNationalId } from '../src/reveal-national-id.ts'
import { newLoan, startEdge } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const deadlineMs = 20_000

type Entry = { readonly [field: string]: unknown }
type Page = { readonly entries: readonly Entry[]; readonly next: string | null; readonly code?: string }

/** The routes with everything behind them: a store, the projection of its events, and an issuer of tokens. */
const start = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const [issuer, database, edge] = await Promise.all([startIssuer(), testDatabase(), startEdge()])
  const store = connectEventStore({ url: node.connectionString, logger })
  const audit = startAudit({ store, logger, days: 400, metrics: createMetrics() })
  const sink = openPostgresSink({ url: database.url, projection: auditModel, logger })
  const projection = startProjection({ store, sink, projection: auditModel, logger })
  const reader = openPostgresReader({ url: database.url, projection: auditModel, logger })
  const edgeReader = openSqliteReader({ directory: edge.directory, projection: loans, logger })
  const authenticator = createAuthenticator(parseConfig(z.object(authSettings), issuer.env), logger)
  const server = await createServer({
    title: 'Audit',
    description: 'The routes of the audit trail.',
    logger,
    health: createHealth({}),
    statuses: { read_model_not_ready: 503, read_model_unavailable: 503 },
    credentialsOf: bearerCredentials(authenticator),
    onRefused: audit.refused,
  })
  const looks = registerLooks(server, audit)
  registerAudit(server, reader)
  registerRevealNationalId(server, { reader: edgeReader, audit })
  server.get(
    '/loans/:id',
    { config: { rules: [role('underwriter'), owner('loans:read')], look: { loan: 'detail' } } },
    async () => ({}),
  )
  let isUp = true
  const stopStore = async () => {
    if (isUp) await node.stop()
    isUp = false
  }
  onTestFinished(async () => {
    await server.close()
    await projection.stop()
    await audit.stop()
    await reader.close()
    edgeReader.close()
    await store.close()
    await stopStore()
    await Promise.all([issuer.stop(), database.remove(), edge.remove()])
  })
  await projection.whenLive()

  const tokens = {
    ada: await issuer.tokenOf({ sub: 'ada', roles: ['auditor'] }),
    uma: await issuer.tokenOf({ sub: 'uma', roles: ['underwriter'] }),
    otto: await issuer.tokenOf({ sub: 'otto', roles: ['operator'] }),
  }
  const ask = async (who: keyof typeof tokens | 'nobody', method: 'GET' | 'POST', url: string) => {
    const headers = who === 'nobody' ? {} : { authorization: `Bearer ${tokens[who]}` }
    const answer = await server.inject({ method, url, headers })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json<Page & { nationalId?: string }>() }
  }
  const search = async (query = '') => (await ask('ada', 'GET', `/api/audit?${query}`)).body
  /** All there is, once that many are there. */
  const entries = async (count: number) => {
    await expect
      .poll(async () => (await search()).entries.length, { timeout: deadlineMs })
      .toBeGreaterThanOrEqual(count)
    return (await search()).entries
  }
  return { ask, search, entries, edge, stopStore, looks }
}

it('reveals a national id to an underwriter, and tells auditors', async () => {
  const { ask, entries, edge } = await start()
  const loan = newLoan()
  await edge.write(loan)
  const revealed = await ask('uma', 'POST', `/api/loans/${loan.loanId}/reveal-national-id`)
  expect(revealed).toMatchObject({ status: 200, body: { nationalId: '555555AA' } })
  expect(revealed.headers['cache-control']).toBe('no-store')
  expect(await entries(2)).toContainEqual({
    eventId: expect.any(String),
    at: expect.any(String),
    actor: 'uma',
    action: 'NationalIdRevealed',
    resource: loan.loanId,
    outcome: 'viewed',
    code: null,
    correlationId: expect.stringMatching(/^[\da-f]{32}$/),
    details: null,
  })
})

it('reveals nothing while it cannot be written down', async () => {
  const { ask, edge, stopStore } = await start()
  const loan = newLoan()
  await edge.write(loan)
  await stopStore()
  const refused = await ask('uma', 'POST', `/api/loans/${loan.loanId}/reveal-national-id`)
  expect(refused).toMatchObject({ status: 503, body: { code: 'event_store_unavailable' } })
  expect(refused.headers['retry-after']).toBeDefined()
  expect(JSON.stringify(refused.body)).not.toContain(loan.nationalId)
})

it('reveals nothing to others, and tells auditors of those it knows', async () => {
  const { ask, entries, edge } = await start()
  const loan = newLoan()
  await edge.write(loan)
  const path = `/api/loans/${loan.loanId}/reveal-national-id`
  expect((await ask('nobody', 'POST', path)).status).toBe(401)
  expect((await ask('ada', 'POST', path)).status).toBe(403)
  expect((await ask('otto', 'POST', path)).status).toBe(403)
  const found = (await entries(3)).filter(({ outcome }) => outcome === 'refused')
  expect(found).toHaveLength(2)
  for (const actor of ['ada', 'otto'])
    expect(found).toContainEqual(
      expect.objectContaining({
        actor,
        action: 'POST /api/loans/:id/reveal-national-id',
        resource: loan.loanId,
        code: 'forbidden',
      }),
    )
})

it('is for auditors: others are refused, which auditors find', async () => {
  const { ask, entries, search } = await start()
  expect((await ask('nobody', 'GET', '/api/audit')).status).toBe(401)
  expect(await ask('uma', 'GET', '/api/audit?odd=1')).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  await entries(2)
  const refused = await search('outcome=refused')
  expect(refused.entries).toMatchObject([{ actor: 'uma', action: 'GET /api/audit', resource: null }])
})

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const uma = { kind: 'person', sub: 'uma', roles: ['underwriter'], scopes: [] } as const

it('finds by what is asked for, page by page, and says what is wrong with a question', async () => {
  const { ask, looks, entries, search } = await start()
  const loanId = randomUUID()
  for (const who of ['uma', 'uma', 'otto'] as const)
    expect((await ask(who, 'GET', `/loans/${loanId}`)).status).toBe(200)
  for (const _ of [1, 2, 3]) looks.listFollowed(uma, traceparent, 'underwriting', { search: 'Ada', score: 5 })
  looks.listFollowed({ kind: 'capability', sub: 'loan:1', roles: [], scopes: [] }, traceparent, 'loans', {})
  await entries(4) // the auditor's own look is one, too
  const actions = async (query: string) => (await search(query)).entries.map(({ action }) => action)
  expect(await actions(`resource=${loanId}`)).toEqual(['LoanViewed', 'LoanViewed'])
  expect((await search('actor=uma&action=ListFollowed&from=2020-01-01')).entries).toMatchObject([
    { details: { list: 'underwriting', search: true, score: 5 } },
  ])
  expect(await actions('actor=uma&to=2020-01-01')).toEqual([])
  expect(await actions('correlationId=4bf92f3577b34da6a3ce929d0e0e4736')).toEqual(['ListFollowed'])
  const first = await search('actor=uma&limit=2')
  const second = await search(`actor=uma&limit=2&cursor=${first.next}`)
  expect([first.entries.length, second.entries.length, second.next]).toEqual([2, 1, null])
  for (const query of ['cursor=x', 'outcome=odd', 'from=yesterday', 'odd=1'])
    expect((await ask('ada', 'GET', `/api/audit?${query}`)).status).toBe(422)
})
