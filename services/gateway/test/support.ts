// A gateway over a real read model that the test itself writes, and a client of /live that keeps what it is told.
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { startAudit } from '@headwater/eventstore/audit'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { beginning, formatPosition, type Position } from '@headwater/eventstore/position'
import { streamName } from '@headwater/eventstore/stream-name'
import { createMetrics } from '@headwater/http-kit/telemetry/metrics'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { openPool } from '@headwater/postgres/pool'
import { openSharedLimits } from '@headwater/postgres/shared-limits'
import { openRows } from '@headwater/projections/model/rows'
import { socketFile } from '@headwater/projections/sqlite/file'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { consents } from '@headwater/read-models/consent/consents'
import { followersIn } from '@headwater/read-models/followers'
import { type LoanRow, loans } from '@headwater/read-models/loan/loans'
import { openReaders } from '@headwater/read-models/read-models'
import { authenticatorOf, startIssuer, type TokenOptions } from '@headwater/test-kit/issuer'
import { until } from '@headwater/test-kit/until'
import { WebSocket } from 'ws'
import { openSessionDatabase } from '../src/auth/sign-in/sessions.ts'
import { createGateway, type GatewayOptions } from '../src/gateway.ts'
import { createPeople } from '../src/people.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

let minutes = 0
/** A loan that alice requested a minute after the one before. */
export const newLoan = (fields: Partial<LoanRow> = {}): LoanRow => ({
  loanId: randomUUID(),
  name: 'Ada Lovelace',
  address: '12 St James Square, London',
  nationalId: '555555AA',
  amount: 10_000,
  status: 'checking',
  score: null,
  requestedByKind: 'person',
  requestedById: 'alice',
  requestedAt: new Date(Date.UTC(2026, 0, 1, 0, minutes++)).toISOString(),
  decidedBy: null,
  reason: null,
  decidedAt: null,
  revision: 0,
  ...fields,
})

/** The read model as its projector would write it: each call of `write` is one batch. */
export const startEdge = async ({
  directory = mkdtempSync(path.join(tmpdir(), 'edge-')),
  storeId = randomUUID(),
} = {}) => {
  const sink = openSqliteSink({ directory, projection: loans, logger })
  // Made, and empty: these tests are about loans.
  const consentSink = openSqliteSink({ directory, projection: consents, logger })
  await consentSink.claim(storeId)
  let at = await sink.claim(storeId)
  // Nothing is missing from the rows, unless a test says so.
  let missing: Position | undefined
  for (const [model, { tellNeeded }] of [
    [loans, sink],
    [consents, consentSink],
  ] as const) {
    tellNeeded?.(async () => missing ?? beginning)
    await until('its writer can be asked', () => existsSync(socketFile(directory, model)))
  }
  const commit = async (rows: ReadonlyMap<string, LoanRow | undefined>): Promise<string> => {
    if (!at) throw new Error('somebody else writes this read model')
    const keys = new Set(rows.keys())
    const place = at.position.commit + 1n
    const position: Position = { commit: place, prepare: place }
    const to = { ...at, position, lastEvent: { id: randomUUID(), position } }
    const evolve = (stored: ReadonlyMap<string, ReadonlyMap<string, Record<string, string | number | null>>>) => {
      const table = openRows('loans', keys, stored.get('loans') ?? new Map(), loans.tables.loans.topicColumns)
      for (const [loanId, row] of rows) row ? table.set(loanId, row) : table.remove(loanId)
      return table.changes()
    }
    const outcome = await sink.commit({ from: at, to, keys: new Map([['loans', keys]]), evolve })
    if (outcome !== 'committed') throw new Error('the read model was not written')
    at = to
    return formatPosition(position)
  }
  return {
    directory,
    storeId,
    write: (...rows: readonly LoanRow[]) => commit(new Map(rows.map((row) => [row.loanId, row]))),
    removeRow: (loanId: string) => commit(new Map([[loanId, undefined]])),
    /** As a projector does that cannot take in the loan's next event. */
    park: async (loanId: string) => {
      if (!at) throw new Error('somebody else writes this read model')
      const place = at.position.commit + 1n
      const position: Position = { commit: place, prepare: place }
      const event = {
        id: randomUUID(),
        stream: streamName('loan', loanId),
        type: 'LoanPainted',
        revision: 1n,
        position,
      }
      const now = new Date()
      const one = { event, error: 'unknown', tries: 3, parkedAt: now, triedAt: now, skipped: undefined }
      const to = { ...at, position }
      const parking = { put: [one], removed: [] }
      const outcome = await sink.commit({ from: at, to, keys: new Map(), evolve: () => [], parking })
      if (outcome !== 'committed') throw new Error('the read model was not written')
      at = to
    },
    /** As of a projector that does not process what the store has: up to there nothing comes. */
    missUpTo: (place: number | undefined) => {
      missing = place === undefined ? undefined : { commit: BigInt(place), prepare: BigInt(place) }
    },
    close: () => Promise.all([sink.close(), consentSink.close()]),
    remove: async () => {
      await Promise.all([sink.close(), consentSink.close()])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Whoever the tests are about, unless they say otherwise. */
export const alice: TokenOptions = { sub: 'alice' }
export const underwriter: TokenOptions = { sub: 'una', roles: ['underwriter'] }

/** Of tests that have no store of their own: their refusals have to go somewhere. It ends with the process that runs the files. */
let shared: ReturnType<typeof startEventStore> | undefined
const sharedStore = () => {
  shared ??= startEventStore({ port: 0, memory: true })
  return shared
}

/** What was not asked for is not there: nothing listens on port 1. */
export const startGateway = async (
  directory: string,
  {
    port = 0,
    databaseUrl = 'postgres://127.0.0.1:1/headwater',
    eventStoreUrl,
    as = alice,
    serviceUrls = {},
    partnerLimitPerMinute = 1_000,
    ...others
  }: Partial<Omit<GatewayOptions, 'serviceUrls' | 'partnerLimit'>> & {
    partnerLimitPerMinute?: number
    port?: number
    databaseUrl?: string
    eventStoreUrl?: string
    serviceUrls?: Partial<GatewayOptions['serviceUrls']>
    /** Whose token `headers` holds; null for nobody's. */
    as?: TokenOptions | null
  } = {},
) => {
  const readers = openReaders({ directory, url: databaseUrl, logger })
  const issuer = await startIssuer()
  const store = connectEventStore({ url: eventStoreUrl ?? 'esdb://127.0.0.1:1?tls=false', logger })
  const auditUrl = eventStoreUrl ?? (await sharedStore()).connectionString
  const auditStore = connectEventStore({ url: auditUrl, logger })
  const limitPool = openPool(databaseUrl, 2, logger)
  const operationsPool = openPool(databaseUrl, 3, logger)
  const peopleDatabase = openSessionDatabase(databaseUrl, logger)
  const people = createPeople(peopleDatabase, logger)
  const metrics = createMetrics()
  const limits = openSharedLimits({ pool: limitPool, table: 'partner_requests', gauge: metrics.gauge, logger })
  const trail = startAudit({ store: auditStore, logger, days: 1, metrics })
  const server = await createGateway({
    readers,
    store,
    operations: { followers: followersIn(directory, operationsPool), pool: operationsPool },
    serviceUrls: { loan: 'http://127.0.0.1:1', consent: 'http://127.0.0.1:1', ...serviceUrls },
    jobsUrl: 'http://127.0.0.1:1',
    partnerLimit: { limits, perMinute: partnerLimitPerMinute },
    webUrl: 'http://127.0.0.1:1',
    authenticator: authenticatorOf(issuer.env),
    people,
    audit: trail,
    metrics,
    logger,
    ...others,
  })
  const url = await server.listen({ host: '127.0.0.1', port })
  const headers: Record<string, string> = as === null ? {} : { authorization: `Bearer ${await issuer.tokenOf(as)}` }
  return {
    url,
    issuer,
    people,
    /** To be sent with requests, and with those that open sockets. */
    headers,
    get: (path: string, init: RequestInit = {}) => fetch(`${url}${path}`, { headers, ...init }),
    port: Number(new URL(url).port),
    liveUrl: `${url.replace('http', 'ws')}/live`,
    close: async () => {
      await server.close()
      await Promise.all([trail.stop(), limits.close()])
      await Promise.all([
        readers.close(),
        store.close(),
        auditStore.close(),
        issuer.stop(),
        limitPool.end(),
        operationsPool.end(),
        peopleDatabase.close(),
      ])
    },
  }
}

type ServerMessage =
  | { type: 'snapshot'; id: string; rows: LoanRow[]; token: string }
  | {
      type: 'change'
      id: string
      changes: ({ op: 'upsert'; key: string; row: LoanRow } | { op: 'remove'; key: string })[]
      token: string
    }
  | { type: 'error'; id?: string; code: string; message: string }
  | { type: 'heartbeat'; at: string }

/** A client that does what the protocol says: one picture a subscription. */
export const connectLive = async (
  { liveUrl, headers }: { readonly liveUrl: string; readonly headers: Record<string, string> },
  onMessage: (message: ServerMessage) => void = () => undefined,
) => {
  const socket = new WebSocket(liveUrl, { headers })
  const messages: ServerMessage[] = []
  const pictures = new Map<string, Map<string, LoanRow>>()
  const tokens = new Map<string, string>()
  const waiting = new Set<() => void>()
  const apply = (message: ServerMessage) => {
    if (message.type === 'snapshot') pictures.set(message.id, new Map(message.rows.map((row) => [row.loanId, row])))
    if (message.type === 'change') {
      const picture = pictures.get(message.id) ?? new Map()
      for (const change of message.changes) {
        if (change.op === 'upsert') picture.set(change.key, change.row)
        else picture.delete(change.key)
      }
    }
    if (message.type === 'snapshot' || message.type === 'change') tokens.set(message.id, message.token)
  }
  socket.on('message', (data) => {
    const message: ServerMessage = JSON.parse(data.toString())
    messages.push(message)
    apply(message)
    onMessage(message)
    for (const check of waiting) check()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const send = (message: object) => socket.send(JSON.stringify(message))
  return {
    socket,
    messages,
    closed,
    send,
    /** `known` is the picture of an earlier connection, with its token. */
    subscribe: (
      id: string,
      filter?: object,
      known?: { rows: Iterable<LoanRow>; token: string },
      topic: 'loans' | 'underwriting' = 'loans',
    ) => {
      if (known) pictures.set(id, new Map([...known.rows].map((row) => [row.loanId, row])))
      send({ type: 'subscribe', id, topic, filter, token: known?.token })
    },
    rows: (id: string) => [...(pictures.get(id)?.values() ?? [])],
    token: (id: string) => tokens.get(id) ?? '',
    /** Waits until the condition holds after some message; the test's own deadline bounds it. */
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!condition()) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    close: async () => {
      socket.close()
      await closed
    },
  }
}
