// What operators see of what follows the event store, and what they can do about it: against projections that really run.
import { randomUUID } from 'node:crypto'
import { contexts } from '@headwater/deciders/contexts'
import { type Operations, operations, type ParkedList, parkedList } from '@headwater/deciders/operations/operations'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { bearerCredentials } from '@headwater/http-kit/access/auth'
import { createHealth } from '@headwater/http-kit/server/health'
import { createServer } from '@headwater/http-kit/server/server'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openDatabase } from '@headwater/jobs/database'
import { openLedger } from '@headwater/jobs/ledger/ledger'
import { reactionsOf } from '@headwater/jobs/reactions'
import { registerRoutes } from '@headwater/jobs/routes'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { consents } from '@headwater/read-models/consent/consents'
import { jobsCategories } from '@headwater/read-models/followers'
import { loans } from '@headwater/read-models/loan/loans'
import { underwriting } from '@headwater/read-models/loan/underwriting'
import { testDatabase } from '@headwater/test-kit/database'
import { authenticatorOf } from '@headwater/test-kit/issuer'
import { expect, onTestFinished, test } from 'vitest'
import { keepSamples, ratesOf } from '../src/operations/samples.ts'
import { connectLive, startEdge, startGateway } from './support.ts'

const reactions = reactionsOf(contexts)

const logger = createLogger({ service: 'test', level: 'silent' })
const deadlineMs = 20_000
const otto = { sub: 'otto', roles: ['operator'] }

/** A store, the loans of this node, those of underwriters in Postgres, and a gateway; `loan` is an application in the store. */
const start = async ({ empty = false } = {}) => {
  const node = await startEventStore({ port: 0, memory: true })
  const [database, edge] = await Promise.all([testDatabase({ empty }), startEdge()])
  const store = connectEventStore({ url: node.connectionString, logger })
  // What the edge wrote in the making belongs to no store.
  await edge.remove()
  const { directory } = edge
  const stops: (() => Promise<unknown>)[] = []
  const inSqlite = (projection: typeof loans) =>
    startProjection({ store, sink: openSqliteSink({ directory, projection, logger }), projection, logger })
  const running = {
    loans: inSqlite(loans),
    consents: startProjection({
      store,
      sink: openSqliteSink({ directory, projection: consents, logger }),
      projection: consents,
      logger,
    }),
    underwriting: startProjection({
      store,
      sink: openPostgresSink({ url: database.url, projection: underwriting, logger }),
      projection: underwriting,
      logger,
    }),
  }
  const startedGateway = async (more: Parameters<typeof startGateway>[1] = {}) => {
    const gateway = await startGateway(directory, {
      as: otto,
      eventStoreUrl: node.connectionString,
      databaseUrl: database.url,
      ...more,
    })
    stops.push(gateway.close)
    return gateway
  }
  let isUp = true
  const stopStore = async () => {
    if (isUp) await node.stop()
    isUp = false
  }
  onTestFinished(async () => {
    for (const stop of stops.toReversed()) await stop()
    await Promise.all(Object.values(running).map(({ stop }) => stop()))
    await store.close()
    await stopStore()
    await database.remove()
    await edge.remove()
  })
  await Promise.all(Object.values(running).map(({ whenLive }) => whenLive()))
  const append = async (loanId: string, ...events: readonly { readonly type: string; readonly data: object }[]) => {
    const stream = `loan-${loanId}`
    const [last] = (await store.readStream(stream, 0n, 1_000)).slice(-1)
    const given = events.map((event) => ({ ...event, id: randomUUID(), metadata: {} }))
    await store.append(stream, given, last?.revision ?? 'no_stream')
    return given.map(({ id }) => id)
  }
  return { database, store, running, append, stopStore, startedGateway, directory }
}

const requested = (loanId: string) => ({
  type: 'LoanRequested',
  data: {
    loanId,
    name: 'Ada Lovelace',
    address: 'London',
    nationalId: '555555AA',
    amount: 10_000,
    requestedBy: { kind: 'person', id: 'alice' },
    requestedAt: '2026-11-21T09:00:00.000Z',
  },
})
const painted = (loanId: string) => ({ type: 'LoanPainted', data: { loanId } })
const abandoned = (loanId: string) => ({
  type: 'LoanAbandoned',
  data: { loanId, abandonedAt: '2026-11-21T10:00:00.000Z' },
})

type Gateway = Awaited<ReturnType<typeof startGateway>>

const overview = async (gateway: Gateway): Promise<Operations> =>
  operations.parse(await (await gateway.get('/api/operations')).json())
const follower = async (gateway: Gateway, name: string) =>
  (await overview(gateway)).followers.find((one) => one.name === name)
const parked = async (gateway: Gateway): Promise<ParkedList> =>
  parkedList.parse(await (await gateway.get('/api/operations/parked')).json())
const act = async (gateway: Gateway, path: string, body: object = {}) => {
  const headers = { ...gateway.headers, 'content-type': 'application/json' }
  const answer = await gateway.get(`/api/operations/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

test('tells of every follower how far it is, of the stores, and of this gateway’s sockets', async () => {
  const { append, running, store, startedGateway } = await start({ empty: true })
  const gateway = await startedGateway()
  const loanId = randomUUID()
  await append(loanId, requested(loanId))
  await expect.poll(() => running.underwriting.status().handled, { timeout: deadlineMs }).toBe(1)
  const client = await connectLive(gateway)
  onTestFinished(() => client.socket.terminate())
  client.subscribe('all')
  await client.until(() => client.messages.length > 0)

  // That an operator follows all loans is written to the same store a moment later.
  const trail = `audit-${new Date().toISOString().slice(0, 10)}`
  await expect.poll(() => store.readStream(trail, 0n, 10), { timeout: deadlineMs }).toHaveLength(1)
  const { commit, prepare } = await store.head()
  await expect
    .poll(() => overview(gateway), { timeout: deadlineMs })
    .toMatchObject({
      store: { answers: true, head: `${commit}/${prepare}` },
      postgres: { answers: true },
      live: { sockets: 1, socketsMax: 2_000, queries: 1, queriesPerSocketMax: 20 },
      // The services that keep them have never run here.
      jobs: null,
      webhooks: null,
    })
  for (const [name, place] of [
    ['loans', 'edge'],
    ['consents', 'edge'],
    ['underwriting', 'postgres'],
  ] as const)
    await expect
      .poll(() => follower(gateway, name), { timeout: deadlineMs })
      .toMatchObject({ place, state: 'there', isWritten: true, lagMs: 0, parked: 0, paused: null, rebuild: null })
  expect(await follower(gateway, 'audit')).toMatchObject({ state: 'not made', position: null, lagMs: null })
  expect(await follower(gateway, 'jobs')).toMatchObject({ state: 'not made', isWritten: false, canBeRebuilt: false })
})

test('rows of another event store have no lag, and say that they have to be rebuilt', async () => {
  const { startedGateway } = await start({ empty: true })
  const other = await startEventStore({ port: 0, memory: true })
  onTestFinished(() => other.stop())
  const gateway = await startedGateway({ eventStoreUrl: other.connectionString })
  for (const name of ['loans', 'underwriting'])
    await expect
      .poll(() => follower(gateway, name), { timeout: deadlineMs })
      .toMatchObject({ state: 'there', lagMs: null, unusable: 'This is another event store.' })
})

test('pauses until it is resumed, says by whom and how old what waits is, and keeps curves of it', async () => {
  const { append, running, startedGateway } = await start()
  const gateway = await startedGateway()
  for (const name of ['loans', 'underwriting'] as const) {
    expect((await act(gateway, `followers/${name}/pause`)).status).toBe(202)
    expect(await follower(gateway, name)).toMatchObject({ paused: { by: 'otto' } })
    await expect.poll(() => running[name].status().state, { timeout: deadlineMs }).toBe('paused')
    const loanId = randomUUID()
    await append(loanId, requested(loanId))
    await expect.poll(async () => (await follower(gateway, name))?.lagMs, { timeout: deadlineMs }).toBeGreaterThan(0)
    expect((await act(gateway, `followers/${name}/resume`)).status).toBe(202)
    await expect
      .poll(() => follower(gateway, name), { timeout: deadlineMs })
      .toMatchObject({ paused: null, lagMs: 0, rowsPerSecond: expect.any(Number) })
    const { history } = (await follower(gateway, name)) ?? {}
    expect(history?.lagMs.length).toBeGreaterThan(1)
    expect(history?.rowsPerSecond.length).toBe(history?.lagMs.length)
  }
})

test('has what is parked tried again, and gone on without; who skipped it and why stays', async () => {
  const begun = new Date().toISOString().slice(0, 10)
  const { append, directory, running, store, startedGateway } = await start()
  const gateway = await startedGateway()
  expect(await parked(gateway)).toMatchObject({ parked: [], count: 0, unread: [] })
  const loanId = randomUUID()
  const [, bad = ''] = await append(loanId, requested(loanId), painted(loanId), abandoned(loanId))
  const both = ['loans', 'underwriting'] as const
  const listed = async (name: string) => {
    const found = (await parked(gateway)).parked
    return found.find((one) => one.kind === 'event' && one.follower === name)
  }
  for (const name of both) {
    const expected = { id: bad, stream: `loan-${loanId}`, type: 'LoanPainted', tries: 3, wished: null, skipped: null }
    await expect.poll(() => listed(name), { timeout: deadlineMs }).toMatchObject(expected)
    await expect.poll(async () => (await follower(gateway, name))?.parked, { timeout: deadlineMs }).toBe(1)

    expect((await act(gateway, `parked/${bad}/retry`, { follower: name })).status).toBe(202)
    await expect.poll(() => listed(name), { timeout: deadlineMs }).toMatchObject({ tries: 4, wished: null })

    expect((await act(gateway, `parked/${bad}/skip`, { follower: name, reason: ' a ' })).status).toBe(422)
    const skip = { follower: name, reason: 'nobody paints loans' }
    expect((await act(gateway, `parked/${bad}/skip`, skip)).status).toBe(202)
    await expect
      .poll(() => listed(name), { timeout: deadlineMs })
      .toMatchObject({ skipped: { by: 'otto', reason: 'nobody paints loans' } })
    await expect.poll(() => running[name].status().parked, { timeout: deadlineMs }).toEqual([])
    expect(await act(gateway, `parked/${bad}/retry`, { follower: name })).toMatchObject({
      status: 404,
      body: { code: 'not_parked' },
    })
  }
  const loan = async () => (await gateway.get(`/api/loans/${loanId}`)).json()
  await expect.poll(loan, { timeout: deadlineMs }).toMatchObject({ status: 'abandoned' })
  expect(JSON.stringify(await parked(gateway))).not.toMatch(/Lovelace|555555AA|London/)

  // The same of an event at which it stops.
  await running.loans.stop()
  const sink = openSqliteSink({ directory, projection: loans, logger })
  const few = startProjection({ store, sink, projection: { ...loans, parkedMax: 0 }, logger })
  onTestFinished(few.stop)
  const [stopping = ''] = await append(loanId, painted(loanId))
  await expect.poll(async () => (await follower(gateway, 'loans'))?.stopped, { timeout: deadlineMs }).toBe(true)
  const first = { id: stopping, follower: 'loans', type: 'LoanPainted', stops: true, deadLetter: null }
  expect((await parked(gateway)).parked[0]).toMatchObject(first)
  const skipped = await act(gateway, `parked/${stopping}/skip`, { follower: 'loans', reason: 'not this one either' })
  expect(skipped.status).toBe(202)
  await expect
    .poll(() => follower(gateway, 'loans'), { timeout: deadlineMs })
    .toMatchObject({ stopped: false, parked: 0, lagMs: 0 })

  await act(gateway, 'followers/audit/resume')
  const done = async () => {
    // One stream a day: whoever does this at midnight writes to two.
    const days = new Set([begun, new Date().toISOString().slice(0, 10)])
    const events = (await Promise.all([...days].map((day) => store.readStream(`audit-${day}`, 0n, 100)))).flat()
    return events.map(({ type, data }) => [type, data])
  }
  const actor = { kind: 'person', sub: 'otto', roles: ['operator'] }
  const written = (route: string, resource: string | null = bad) => [
    'OperationDone',
    expect.objectContaining({ actor, method: 'POST', route, resource }),
  ]
  await expect
    .poll(done, { timeout: deadlineMs })
    .toEqual(
      expect.arrayContaining([
        written('/api/operations/parked/:id/retry'),
        written('/api/operations/parked/:id/skip'),
        written('/api/operations/followers/audit/resume', null),
      ]),
    )
})

test('has a read model built again while it serves; a second one is refused, naming who asked; it can be ended', async () => {
  const { append, running, startedGateway } = await start()
  const gateway = await startedGateway()
  await gateway.people.keep({ sub: 'otto', name: 'Otto Operator', roles: [] }).catch(() => undefined)
  const loanId = randomUUID()
  await append(loanId, requested(loanId))
  for (const name of ['loans', 'underwriting'] as const) {
    // Nothing is seen to before the second one is asked for.
    await running[name].stop()
    expect((await act(gateway, `followers/${name}/rebuild`)).status).toBe(202)
    expect(await follower(gateway, name)).toMatchObject({ rebuild: { by: 'otto', progress: null } })
    expect(await act(gateway, `followers/${name}/rebuild`)).toMatchObject({
      status: 409,
      body: { code: 'rebuild_under_way', detail: expect.stringContaining(`asked for a rebuild of ${name}`) },
    })
    expect((await act(gateway, `followers/${name}/stop-rebuild`)).status).toBe(202)
    expect(await follower(gateway, name)).toMatchObject({ rebuild: null, isWritten: false })
  }
  expect(await act(gateway, 'followers/jobs/rebuild')).toMatchObject({ status: 409, body: { code: 'not_rebuildable' } })
})

test('a rebuild is seen to: the copy takes the place of what served', async () => {
  const { append, running, startedGateway, directory } = await start()
  const gateway = await startedGateway()
  const loanId = randomUUID()
  await append(loanId, requested(loanId))
  await expect.poll(() => running.loans.status().handled, { timeout: deadlineMs }).toBe(1)
  const sink = openSqliteSink({ directory, projection: loans, logger })
  onTestFinished(() => sink.close())
  expect((await sink.checkpoint()).build).toBe('')
  await act(gateway, 'followers/loans/rebuild')
  await expect.poll(async () => (await follower(gateway, 'loans'))?.rebuild, { timeout: deadlineMs }).toBeNull()
  await expect.poll(async () => (await sink.checkpoint()).build, { timeout: deadlineMs }).toMatch(/^\+/)
  expect((await gateway.get(`/api/loans/${loanId}`)).status).toBe(200)
})

test('refuses to steer another node’s read model than the one that was shown', async () => {
  const { startedGateway } = await start()
  const gateway = await startedGateway()
  const { node } = await overview(gateway)
  expect(await act(gateway, 'followers/loans/pause', { node: 'edge-of-elsewhere' })).toMatchObject({
    status: 409,
    body: { code: 'another_node' },
  })
  expect((await act(gateway, 'followers/underwriting/pause', { node: 'edge-of-elsewhere' })).status).toBe(202)
  expect((await act(gateway, 'followers/loans/pause', { node })).status).toBe(202)
  expect((await act(gateway, 'followers/painters/pause')).status).toBe(404)
})

test('answers also while event store and Postgres are away, and says that they are', async () => {
  const { database, stopStore, startedGateway } = await start()
  const gateway = await startedGateway()
  await overview(gateway)
  const letIn = await database.interrupt()
  onTestFinished(letIn)
  await stopStore()
  await expect
    .poll(() => overview(gateway), { timeout: deadlineMs })
    .toMatchObject({ store: { answers: false, head: null }, postgres: { answers: false }, jobs: null })
  const seen = async () => [await follower(gateway, 'loans'), await follower(gateway, 'underwriting')]
  await expect.poll(seen, { timeout: deadlineMs }).toMatchObject([{ state: 'there', lagMs: null }, { state: 'away' }])
  await expect
    .poll(() => parked(gateway), { timeout: deadlineMs })
    .toMatchObject({ unread: ['underwriting', 'audit', 'jobs'] })
  expect((await act(gateway, 'followers/loans/pause')).status).toBe(202)
  expect(await act(gateway, 'followers/underwriting/pause')).toMatchObject({
    status: 503,
    body: { code: 'wish_not_kept' },
  })
})

test('counts jobs, and has the jobs service retry or skip a failed one in the name of the caller', async () => {
  const { database, startedGateway } = await start()
  const jobsDatabase = openDatabase(database.url, logger)
  onTestFinished(() => jobsDatabase.pool.end())
  await jobsDatabase.prepare()
  let authenticator: ReturnType<typeof authenticatorOf> | undefined
  const server = await createServer({
    title: 'Jobs',
    description: 'Their routes for operators.',
    logger,
    health: createHealth({}),
    credentialsOf: (request) => bearerCredentials(authenticator ?? expect.unreachable('nobody asks yet'))(request),
  })
  registerRoutes(server, openLedger(jobsDatabase.pool))
  const jobsUrl = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  const gateway = await startedGateway({ jobsUrl })
  authenticator = authenticatorOf(gateway.issuer.env)

  const parkJob = async () => {
    const id = randomUUID()
    await database.client.query(
      `insert into headwater.jobs (id, event_id, kind, stream, run_at, parked_at, error)
       values ($1, $2, 'check credit', 'loan-1', now(), now(), 'no such applicant')`,
      [id, randomUUID()],
    )
    return id
  }
  const id = await parkJob()
  const kind = { kind: 'check credit', running: 0, due: 0, later: 0, parked: 1 }
  await expect.poll(() => overview(gateway), { timeout: deadlineMs }).toMatchObject({ jobs: [kind] })
  expect(await parked(gateway)).toMatchObject({ parked: [{ kind: 'job', id, job: 'check credit', stream: 'loan-1' }] })

  expect((await act(gateway, `parked-jobs/${id}/run-again`)).status).toBe(202)
  expect(await parked(gateway)).toMatchObject({ parked: [] })
  await expect
    .poll(() => overview(gateway), { timeout: deadlineMs })
    .toMatchObject({ jobs: [{ ...kind, due: 1, parked: 0 }], webhooks: { waiting: 0, parked: 0 } })
  expect(await act(gateway, `parked-jobs/${id}/run-again`)).toMatchObject({ status: 404 })

  const skipped = await parkJob()
  const reason = 'seen to by hand'
  expect(await act(gateway, `parked-jobs/${skipped}/skip`, { reason: ' ' })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'reason' }] },
  })
  expect((await act(gateway, `parked-jobs/${skipped}/skip`, { reason })).status).toBe(202)
  const kept = { kind: 'job', id: skipped, error: 'no such applicant', skipped: { by: 'otto', reason } }
  expect(await parked(gateway)).toMatchObject({ parked: [kept], count: 1 })
  await expect
    .poll(() => overview(gateway), { timeout: deadlineMs })
    .toMatchObject({ jobs: [{ ...kind, due: 1, parked: 0 }] })
  expect(await act(gateway, `parked-jobs/${skipped}/skip`, { reason })).toMatchObject({ status: 404 })
  expect(await act(gateway, 'parked-jobs/none/skip', { reason })).toMatchObject({ status: 404 })
})

test('knows what the jobs follow', () => {
  expect(jobsCategories).toEqual(reactions.categories)
})

test('stops looking, and keeps nothing, once no page has asked for a while', async () => {
  let looks = 0
  const look = async () => {
    looks += 1
    return { at: new Date(0), head: undefined, postgresAnswers: true, followers: new Map(), jobs: undefined }
  }
  const samples = keepSamples(look, [{ name: 'loans' }], { watchedMs: 1_000 })
  onTestFinished(samples.stop)
  await samples.watch()
  await expect.poll(() => samples.historyOf('loans').lagMs, { timeout: deadlineMs }).toEqual([null])
  await expect.poll(() => samples.historyOf('loans').lagMs, { timeout: deadlineMs }).toEqual([])
  expect(looks).toBe(1)
})

test('looks again after something was asked for, and not before the look that was under way has ended', async () => {
  const first = Promise.withResolvers<void>()
  let looks = 0
  const look = async () => {
    looks += 1
    const postgresAnswers = looks > 1
    if (looks === 1) await first.promise
    return { at: new Date(), head: undefined, postgresAnswers, followers: new Map(), jobs: undefined }
  }
  const samples = keepSamples(look, [])
  onTestFinished(samples.stop)
  const before = samples.watch()
  samples.forget()
  const after = samples.watch()
  expect(looks).toBe(1)
  first.resolve()
  expect(await before).toMatchObject({ postgresAnswers: false })
  expect(await after).toMatchObject({ postgresAnswers: true })
})

test('tells rates over some seconds, and none over a gap or where counting began anew', () => {
  const at = (seconds: number, changes: number | null) => ({ atMs: seconds * 1_000, lagMs: 0, changes })
  expect(ratesOf([at(0, 10), at(2, 14), at(4, 14), at(6, null), at(8, 26), at(20, 30), at(22, 3)])).toEqual([
    null,
    2,
    1,
    null,
    2,
    null,
    null,
  ])
})
