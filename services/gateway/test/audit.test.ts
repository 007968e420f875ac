// What auditors find, from the refusal or the look itself to the answer of their query; and what is not shown while it cannot be written down.
import { randomUUID } from 'node:crypto'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import { audit as auditModel } from '@headwater/read-models/audit/audit'
import { testDatabase } from '@headwater/test-kit/database'
import { expect, onTestFinished, test } from 'vitest'
import { connectLive, newLoan, startEdge, startGateway } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const deadlineMs = 20_000

type Entry = { readonly [field: string]: unknown }
type Answer = { readonly entries: readonly Entry[]; readonly next: string | null; readonly nationalId?: string }

/** What is noted in one millisecond has no order among itself. */
const nextMoment = () => {
  const now = Date.now()
  return expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(now)
}

/** A gateway with everything that the trail passes through: a store, the projection of its events, the read model. */
const start = async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const [database, edge] = await Promise.all([testDatabase(), startEdge()])
  const store = connectEventStore({ url: node.connectionString, logger })
  const sink = openPostgresSink({ url: database.url, projection: auditModel, logger })
  const projection = startProjection({ store, sink, projection: auditModel, logger })
  const gateway = await startGateway(edge.directory, {
    as: null,
    eventStoreUrl: node.connectionString,
    databaseUrl: database.url,
  })
  let isUp = true
  const stopStore = async () => {
    if (isUp) await node.stop()
    isUp = false
  }
  onTestFinished(async () => {
    await gateway.close()
    await projection.stop()
    await store.close()
    await stopStore()
    await Promise.all([database.remove(), edge.remove()])
  })
  await projection.whenLive()

  const loan = newLoan({ requestedById: 'alice' })
  await edge.write(loan)
  const event = { id: randomUUID(), type: 'LoanAbandoned', data: { loanId: loan.loanId }, metadata: { actor: 'jobs' } }
  await store.append(`loan-${loan.loanId}`, [event], 'no_stream')

  const { issuer } = gateway
  const tokens = {
    alice: await issuer.tokenOf({ sub: 'alice' }),
    bob: await issuer.tokenOf({ sub: 'bob' }),
    ada: await issuer.tokenOf({ sub: 'ada', roles: ['auditor'] }),
    uma: await issuer.tokenOf({ sub: 'uma', roles: ['underwriter'] }),
    otto: await issuer.tokenOf({ sub: 'otto', roles: ['operator'] }),
  }
  type Who = keyof typeof tokens | 'nobody'
  const headersOf = (who: Who): Record<string, string> =>
    who === 'nobody' ? {} : { authorization: `Bearer ${tokens[who]}` }
  const ask = async (who: Who, path: string, method: 'GET' | 'POST' = 'GET', headers: Record<string, string> = {}) => {
    await nextMoment()
    const answer = await gateway.get(path, { method, headers: { ...headersOf(who), ...headers } })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  const search = async (query = '') => JSON.parse((await ask('ada', `/api/audit?${query}`)).text) as Answer
  /** All that was refused or looked at but for the auditor's own search, once that many are there; the newest last. */
  const found = async (count: number) => {
    const others = async () =>
      (await search('limit=100')).entries
        .filter(({ details, outcome }) => outcome !== 'accepted' && !JSON.stringify(details).includes('audit'))
        .toReversed()
    await expect.poll(async () => (await others()).length, { timeout: deadlineMs }).toBe(count)
    return others()
  }
  const follow = async (who: Who, topic: 'loans' | 'underwriting', filter = {}) => {
    await nextMoment()
    const client = await connectLive({ liveUrl: gateway.liveUrl, headers: headersOf(who) })
    onTestFinished(() => client.socket.terminate())
    client.subscribe('one', filter, undefined, topic)
    await client.until(() => client.messages.length > 0)
  }
  return { loan, store, ask, search, found, follow, stopStore, people: gateway.people }
}

test('reveals a national id to an underwriter, and tells auditors', async () => {
  const { loan, ask, found } = await start()
  const revealed = await ask('uma', `/api/loans/${loan.loanId}/reveal-national-id`, 'POST')
  expect(revealed.status).toBe(200)
  expect(JSON.parse(revealed.text)).toEqual({ nationalId: '555555AA' })
  expect(revealed.headers.get('cache-control')).toBe('no-store')
  expect(await found(1)).toEqual([
    {
      eventId: expect.any(String),
      at: expect.any(String),
      actor: 'uma',
      action: 'NationalIdRevealed',
      resource: loan.loanId,
      outcome: 'viewed',
      code: null,
      correlationId: expect.stringMatching(/^[\da-f]{32}$/),
      details: null,
    },
  ])
})

test('reveals nothing while it cannot be written down', async () => {
  const { loan, ask, stopStore } = await start()
  await stopStore()
  const refused = await ask('uma', `/api/loans/${loan.loanId}/reveal-national-id`, 'POST')
  expect(refused.status).toBe(503)
  expect(JSON.parse(refused.text)).toMatchObject({ code: 'event_store_unavailable' })
  expect(refused.headers.get('retry-after')).not.toBeNull()
  expect(refused.text).not.toContain(loan.nationalId)
})

test('reveals nothing to others, and tells auditors of those it knows', async () => {
  const { loan, ask, found } = await start()
  const path = `/api/loans/${loan.loanId}/reveal-national-id`
  expect((await ask('nobody', path, 'POST')).status).toBe(401)
  for (const who of ['ada', 'otto', 'alice'] as const) expect((await ask(who, path, 'POST')).status).toBe(403)
  const action = 'POST /api/loans/:id/reveal-national-id'
  const refused = { action, resource: loan.loanId, outcome: 'refused', code: 'forbidden', details: null }
  expect(await found(3)).toMatchObject(['ada', 'otto', 'alice'].map((actor) => ({ ...refused, actor })))
})

test('is for auditors: others are refused, which auditors find', async () => {
  const { ask, found, people } = await start()
  await people.keep({ sub: 'uma', name: 'Uma Underhill', roles: [] })
  expect((await ask('nobody', '/api/audit')).status).toBe(401)
  expect((await ask('uma', '/api/audit?odd=1')).status).toBe(403)
  expect(await found(1)).toMatchObject([
    { actor: 'uma', actorName: 'Uma Underhill', action: 'GET /api/audit', resource: null, code: 'forbidden' },
  ])
})

test("shows who opened another person's loan, and who tried", async () => {
  const { loan, ask, found } = await start()
  const path = `/api/loans/${loan.loanId}`
  expect((await ask('alice', path)).status).toBe(200)
  expect((await ask('bob', path)).status).toBe(404)
  expect((await ask('uma', path)).status).toBe(200)
  expect((await ask('uma', `${path}/history`)).status).toBe(200)
  expect((await ask('uma', `/api/loans/${randomUUID()}`)).status).toBe(404)
  expect((await ask('otto', path)).status).toBe(200)
  expect((await ask('bob', '/api/loans/555555AA')).status).toBe(404)
  const about = { resource: loan.loanId, action: 'LoanViewed', outcome: 'viewed' }
  expect(await found(4)).toMatchObject([
    { resource: loan.loanId, actor: 'bob', outcome: 'refused', action: 'GET /api/loans/:id', code: 'loan_not_found' },
    { ...about, actor: 'uma', details: { part: 'detail' } },
    { ...about, actor: 'uma', details: { part: 'history' } },
    { ...about, actor: 'otto', details: { part: 'detail' } },
  ])
})

test("shows who looked at the past of another person's loan, and who tried", async () => {
  const { store, ask, found } = await start()
  const { loanId, name, address, nationalId, amount, requestedAt } = newLoan()
  const requestedBy = { kind: 'person', id: 'alice' }
  const data = { loanId, name, address, nationalId, amount, requestedBy, requestedAt }
  await store.append(`loan-${loanId}`, [{ id: randomUUID(), type: 'LoanRequested', data, metadata: {} }], 'no_stream')
  const path = `/api/loans/${loanId}`
  for (const query of ['?asOf=0', '/changes?from=0']) {
    expect((await ask('alice', path + query)).status).toBe(200)
    expect((await ask('bob', path + query)).status).toBe(404)
    expect((await ask('uma', path + query)).status).toBe(200)
  }
  const tried = { resource: loanId, actor: 'bob', outcome: 'refused', code: 'loan_not_found' }
  const looked = { resource: loanId, actor: 'uma', action: 'LoanViewed', outcome: 'viewed' }
  expect(await found(4)).toMatchObject([
    { ...tried, action: 'GET /api/loans/:id' },
    { ...looked, details: { part: 'detail' } },
    { ...tried, action: 'GET /api/loans/:id/changes' },
    { ...looked, details: { part: 'history' } },
  ])
})

test('tells who asked for a list or followed it, once with its filter, and who was refused it', async () => {
  const { ask, found, follow } = await start()
  for (const status of ['approved', 'approved', 'denied'])
    expect((await ask('uma', `/api/loans?status=${status}&limit=5`)).status).toBe(200)
  const searched = { 'headwater-search': 'Ada%20Lovelace' }
  expect((await ask('uma', '/api/loans?limit=5', 'GET', searched)).status).toBe(200)
  await follow('uma', 'underwriting', { search: 'Ada Lovelace', score: 5, sort: 'amount' })
  await follow('uma', 'underwriting', { search: 'Grace', score: 5 })
  await follow('otto', 'underwriting')
  await follow('nobody', 'underwriting')
  await follow('alice', 'loans')
  expect((await ask('alice', '/api/loans')).status).toBe(200)
  const viewed = { actor: 'uma', action: 'ListFollowed', outcome: 'viewed', resource: null }
  const entries = await found(5)
  expect(entries).toMatchObject([
    { ...viewed, details: { list: 'loans', status: 'approved' } },
    { ...viewed, details: { list: 'loans', status: 'denied' } },
    { ...viewed, details: { list: 'loans', search: true } },
    { ...viewed, details: { list: 'underwriting', search: true, score: 5 } },
    { actor: 'otto', action: 'FOLLOW underwriting', outcome: 'refused', code: 'forbidden' },
  ])
  expect(JSON.stringify(entries)).not.toMatch(/Lovelace|Grace/)
})

test('finds what was done by command, page by page, and says what is wrong with a question', async () => {
  const { loan, ask, search, found } = await start()
  for (const _ of [1, 2, 3]) expect((await ask('bob', `/api/loans/${loan.loanId}`)).status).toBe(404)
  await found(3)
  expect((await search(`resource=${loan.loanId}&outcome=accepted`)).entries).toMatchObject([
    { actor: 'jobs', action: 'LoanAbandoned', outcome: 'accepted' },
  ])
  expect((await search('actor=bob&to=2020-01-01')).entries).toEqual([])
  const [refused] = (await search('actor=bob&from=2020-01-01&action=&limit=1')).entries
  expect((await search(`correlationId=${refused?.correlationId}`)).entries).toEqual([refused])
  const first = await search('actor=bob&limit=2')
  const second = await search(`actor=bob&limit=2&cursor=${first.next}`)
  expect([first.entries.length, second.entries.length, second.next]).toEqual([2, 1, null])
  for (const query of ['cursor=x', 'outcome=odd', 'from=yesterday', 'odd=1', `actor=${'x'.repeat(301)}`])
    expect((await ask('ada', `/api/audit?${query}`)).status).toBe(422)
})
