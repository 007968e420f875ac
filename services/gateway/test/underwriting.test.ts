// What underwriters are answered over HTTP, what others are refused, and what still serves while Postgres is away.
import { randomUUID } from 'node:crypto'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore } from '@headwater/eventstore/client/client'
import { formatPosition } from '@headwater/eventstore/position'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import type { UnderwritingLoan } from '@headwater/read-models/loan/underwriting'
import type { Statistics } from '@headwater/read-models/loan/underwriting-queries'
import { describe, expect, onTestFinished, test } from 'vitest'
import { approved, newLoan, requested, startDashboard } from './dashboard.ts'
import { alice, newLoan as newEdgeLoan, startEdge, startGateway, underwriter } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const paths = [
  '/api/underwriting/queue',
  '/api/underwriting/history',
  '/api/underwriting/history.csv',
  '/api/underwriting/statistics',
  `/api/loans/${randomUUID()}/history`,
]

const start = async (options: Parameters<typeof startGateway>[1] = {}) => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory, { as: underwriter, ...options })
  onTestFinished(gateway.close)
  const get = (path: string, search?: string) =>
    gateway.get(path, search === undefined ? {} : { headers: { ...gateway.headers, 'headwater-search': search } })
  return { edge, get }
}
const startWithDashboard = async () => {
  const dashboard = await startDashboard()
  onTestFinished(dashboard.remove)
  return { dashboard, ...(await start({ databaseUrl: dashboard.url })) }
}
type Page = { loans: UnderwritingLoan[]; next: string | null }
const names = async (answer: Response) => ((await answer.json()) as Page).loans.map(({ name }) => name)

describe.each(paths)('%s', (path) => {
  test.each([
    ['nobody', null, 401, 'not_signed_in'],
    ['somebody else', alice, 403, 'forbidden'],
  ] as const)('is refused to %s, whatever else is wrong', async (_who, as, status, code) => {
    const { get } = await start({ as })
    const answer = await get(`${path}?unknown=1`)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ code })
  })

  test('is 503 while what it is read from is away', async () => {
    const { get } = await start()
    const answer = await get(path)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(await answer.text()).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/)
  })
})

test('serves everything else while Postgres is away, and says that it is', async () => {
  const { edge, get } = await start()
  const loan = newEdgeLoan()
  await edge.write(loan)
  expect((await get(`/api/loans/${loan.loanId}`)).status).toBe(200)
  const ready = await get('/health/ready')
  expect(ready.status).toBe(200)
  expect(await ready.json()).toMatchObject({
    status: 'degraded',
    parts: { underwriting: { trouble: expect.stringContaining('cannot be reached') } },
  })
})

test('is 503 until the dashboard projector has made the read model', async () => {
  const { dashboard, get } = await startWithDashboard()
  const { get: getEarly } = await start({ databaseUrl: dashboard.url.replace(/test_\w+$/, 'postgres') })
  expect(await (await getEarly(paths[0] ?? '')).json()).toMatchObject({ status: 503, code: 'read_model_not_ready' })
  expect((await get(paths[0] ?? '')).status).toBe(200)
})

describe('the queue', () => {
  test('holds who waits, the longest first, without what is only for searching', async () => {
    const { dashboard, get } = await startWithDashboard()
    const [first, second, decided] = [newLoan(), newLoan({ name: 'Grace Hopper', score: 6 }), newLoan()]
    const position = await dashboard.project(...[first, second, decided].flatMap(requested), approved(decided))
    const answer = await get('/api/underwriting/queue')
    expect(answer.headers.get('headwater-position')).toBe(position)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const waiting = { status: 'awaiting review', decidedAt: null, decidedBy: null, reason: null, decidedAfterMs: null }
    const shown = { ...waiting, requestedAt: expect.any(String), revision: expect.any(Number) }
    expect(await answer.json()).toEqual({ loans: [first, second].map((loan) => ({ ...loan, ...shown })), next: null })
  })

  test('is searched, filtered and sorted', async () => {
    const { dashboard, get } = await startWithDashboard()
    const loans = [
      newLoan({ name: 'Zoë', amount: 1, score: 6 }),
      newLoan({ name: 'Ada', amount: 3 }),
      newLoan({ name: 'Bea', amount: 2 }),
    ]
    await dashboard.project(...loans.flatMap(requested))
    const queue = async (query: string, search?: string) => names(await get(`/api/underwriting/queue?${query}`, search))
    expect(await queue('', 'ZOE')).toEqual(['Zoë'])
    expect(await queue('', encodeURIComponent('zoë'))).toEqual(['Zoë'])
    expect(await queue('', '')).toEqual(['Zoë', 'Ada', 'Bea'])
    expect(await queue('', loans[1]?.loanId.slice(0, 8))).toEqual(['Ada'])
    expect(await queue('score=5')).toEqual(['Ada', 'Bea'])
    expect(await queue('sort=amount&direction=desc')).toEqual(['Ada', 'Bea', 'Zoë'])
    expect(await queue('sort=score&direction=desc&limit=1')).toEqual(['Zoë'])
  })

  test('comes page by page; a cursor of another order is refused', async () => {
    const { dashboard, get } = await startWithDashboard()
    const loans = Array.from({ length: 5 }, () => newLoan())
    await dashboard.project(...loans.flatMap(requested))
    const seen: string[] = []
    for (let next: string | null = ''; next !== null; ) {
      const answer = await get(`/api/underwriting/queue?limit=2${next && `&cursor=${next}`}`)
      const page = (await answer.json()) as Page
      seen.push(...page.loans.map(({ loanId }) => loanId))
      if (page.next) expect((await get(`/api/underwriting/queue?sort=amount&cursor=${page.next}`)).status).toBe(422)
      next = page.next
    }
    expect(seen).toEqual(loans.map(({ loanId }) => loanId))
  })

  test('waits for the position it is given, and says that it is stale when that does not come', async () => {
    const { dashboard, get } = await startWithDashboard()
    const loan = newLoan()
    const [answer, stale] = [get('/api/underwriting/queue?after=3/3'), get('/api/underwriting/queue?after=9/9')]
    await dashboard.project(...requested(loan))
    expect(await names(await answer)).toEqual([loan.name])
    expect((await stale).headers.get('headwater-stale')).toBe('true')
  })
})

test.each(['score=11', 'sort=name', 'direction=up', 'limit=0', 'cursor=x', 'after=x', 'unknown=1'])(
  'the queue cannot be asked for %s',
  async (query) => {
    const { get } = await startWithDashboard()
    expect((await get(`/api/underwriting/queue?${query}`)).status).toBe(422)
  },
)

test.each(['queue', 'history', 'history.csv'])('the address of the %s takes no search for a person', async (list) => {
  const { get } = await startWithDashboard()
  expect((await get(`/api/underwriting/${list}?search=Ada`)).status).toBe(422)
  for (const search of ['%', '%00', '%FF', '\u00eb', '%E2%80%AE', 'a'.repeat(121)])
    expect((await get(`/api/underwriting/${list}`, search)).status, search).toBe(422)
})

describe('the history', () => {
  test('holds who was decided, the newest first, with who decided and how long it took', async () => {
    const { dashboard, get } = await startWithDashboard()
    const [first, second] = [newLoan({ name: 'Ada' }), newLoan({ name: 'Bea' })]
    await dashboard.project(...requested(first), approved(first), ...requested(second), approved(second))
    const answer = (await (await get('/api/underwriting/history')).json()) as Page
    const decided = { status: 'approved', decidedBy: 'una', decidedAfterMs: 60_000 }
    expect(answer.loans).toMatchObject([
      { ...second, ...decided },
      { ...first, ...decided },
    ])
    const history = async (query: string, search?: string) =>
      names(await get(`/api/underwriting/history?${query}`, search))
    expect(await history('outcome=denied')).toEqual([])
    expect(await history('', 'be')).toEqual(['Bea'])
    expect(await history('to=2025-12-31')).toEqual([])
    expect((await get('/api/underwriting/history?from=yesterday')).status).toBe(422)
  })

  test('is a file with every row once, and without formulas', async () => {
    const { dashboard, get } = await startWithDashboard()
    const loans = Array.from({ length: 2_100 }, (_, n) => newLoan({ name: n === 0 ? '=HYPERLINK("x"),1' : `Ada ${n}` }))
    await dashboard.project(...loans.flatMap((loan) => [...requested(loan), approved(loan)]))
    const answer = await get('/api/underwriting/history.csv?direction=asc')
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(answer.headers.get('content-disposition')).toContain('decided-loans.csv')
    const bytes = Buffer.from(await answer.arrayBuffer())
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]))
    const [header, first, ...others] = bytes.subarray(3).toString().trimEnd().split('\r\n')
    expect(header).toBe('loanId,name,amount,score,status,requestedAt,decidedAt,decidedBy,reason,decidedByName')
    expect(first).toContain(`,"'=HYPERLINK(""x""),1",10000,5,approved,`)
    expect(first).toMatch(/,una,"steady income, ""long"" history",$/)
    const ids = [first, ...others].map((line) => line?.split(',')[0])
    expect(ids).toEqual(loans.map(({ loanId }) => loanId))
  })
})

test('counts', async () => {
  const { dashboard, get } = await startWithDashboard()
  const [waits, decided] = [newLoan({ amount: 100 }), newLoan({ amount: 200 })]
  await dashboard.project(...requested(waits), ...requested(decided), approved(decided))
  const statistics = async (query: string): Promise<Statistics> =>
    (await (await get(`/api/underwriting/statistics?${query}`)).json()) as Statistics
  const { byDay, scores, decisionTimes, ...others } = await statistics('days=30')
  expect(others).toEqual({ waiting: { count: 1, amount: 100 }, medianMs: 60_000 })
  expect(byDay).toEqual([{ day: expect.any(String), outcome: 'approved', count: 1, amount: 200 }])
  expect(scores.filter(({ count }) => count > 0)).toEqual([{ score: 5, count: 2 }])
  expect(decisionTimes.filter(({ count }) => count > 0)).toEqual([{ bucketMs: 60_000, count: 1 }])
  expect((await statistics('days=7')).byDay).toEqual([])
})

test("tells a loan's history from its events, the national id masked", async () => {
  const node = await startEventStore({ port: 0, memory: true })
  const store = connectEventStore({ url: node.connectionString, logger })
  onTestFinished(async () => {
    await store.close()
    await node.stop()
  })
  const { get } = await start({ eventStoreUrl: node.connectionString })
  const loan = newLoan()
  const events = [...requested(loan), approved(loan)]
  const outcome = await store.append(
    `loan-${loan.loanId}`,
    events.map((event, n) => ({ ...event, id: randomUUID(), metadata: { actor: n === 3 ? 'una' : 'anonymous' } })),
    'no_stream',
  )
  if (outcome.outcome !== 'appended') throw new Error('the events were not appended')
  const answer = await get(`/api/loans/${loan.loanId}/history`)
  expect(answer.headers.get('headwater-position')).toBe(formatPosition(outcome.position))
  expect(answer.headers.get('etag')).toBe('"3"')
  const body = await answer.text()
  expect(body).not.toContain('555555AA')
  expect(JSON.parse(body).events).toMatchObject([
    { type: 'LoanRequested', revision: 0, actor: 'anonymous', data: { name: 'Ada Lovelace', nationalId: '••••••AA' } },
    { type: 'CreditChecked', revision: 1, data: { score: 5 } },
    { type: 'ManualReviewRequired', revision: 2, data: { nationalId: '••••••AA' } },
    { type: 'ManuallyApproved', revision: 3, actor: 'una', data: { decidedBy: 'una' } },
  ])
  expect((await get(`/api/loans/${randomUUID()}/history`)).status).toBe(404)
})
