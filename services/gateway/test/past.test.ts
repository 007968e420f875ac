// A loan as it was and what changed in between: told from its events, to each as they see the loan now, and to no others.
import { randomUUID } from 'node:crypto'
import type { LoanEvent, RequestedBy } from '@headwater/deciders/loan/loan-events'
import { loanViews } from '@headwater/deciders/loan/loan-policy'
import { start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { formatPosition } from '@headwater/eventstore/position'
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { rowsAfter } from '@headwater/projections/run/past'
import { loans } from '@headwater/read-models/loan/loans'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loanAsSeen } from '../src/loan/sight.ts'
import { eventsUpTo } from '../src/stream-place.ts'
import { startEdge, startGateway } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const alice: RequestedBy = { kind: 'person', id: 'alice' }
const at = '2026-11-21T09:00:00.000Z'

let store: EventStore
let gateway: Awaited<ReturnType<typeof startGateway>>
let stop: () => Promise<unknown>

beforeAll(async () => {
  const node = await startEventStore({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
  // Empty: what was is not asked of the read model.
  const edge = await startEdge()
  gateway = await startGateway(edge.directory, { as: null, eventStoreUrl: node.connectionString })
  stop = async () => {
    await gateway.close()
    await Promise.all([edge.remove(), store.close()])
    await node.stop()
  }
})
afterAll(() => stop())

const viewers = {
  underwriter: () => gateway.issuer.tokenOf({ sub: 'uma', roles: ['underwriter'] }),
  operator: () => gateway.issuer.tokenOf({ sub: 'otto', roles: ['operator'] }),
  owner: () => gateway.issuer.tokenOf({ sub: 'alice' }),
  stranger: () => gateway.issuer.tokenOf({ sub: 'bob' }),
  partner: () => gateway.issuer.partnerTokenOf('acme', ['loans:read']),
  'partner without the scope': () => gateway.issuer.partnerTokenOf('acme', ['loans:write']),
}
type Who = keyof typeof viewers | 'nobody' | { readonly linkTo: string }

const tokenOf = (who: Who) => {
  if (who === 'nobody') return undefined
  return typeof who === 'string' ? viewers[who]() : gateway.issuer.capabilityOf(who.linkTo)
}
const ask = async (who: Who, path: string) => {
  const token = await tokenOf(who)
  const answer = await gateway.get(path, { headers: token ? { authorization: `Bearer ${token}` } : {} })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}

const requested = (loanId: string, requestedBy = alice): LoanEvent => ({
  type: 'LoanRequested',
  data: {
    loanId,
    name: 'Ada Lovelace',
    address: 'Bath',
    nationalId: '555555AA',
    amount: 500,
    requestedBy,
    requestedAt: at,
  },
})
const checked = (loanId: string): LoanEvent => ({ type: 'CreditChecked', data: { loanId, score: 5, checkedAt: at } })
const reviewed = (loanId: string, requestedBy = alice): LoanEvent => ({
  type: 'ManualReviewRequired',
  data: { loanId, name: 'Ada Lovelace', nationalId: '555555AA', amount: 500, score: 5, requestedBy, requestedAt: at },
})
const denied = (loanId: string): LoanEvent => ({
  type: 'ManuallyDenied',
  data: { loanId, decidedBy: 'una', reason: 'too much debt', decidedAt: at },
})
const abandoned = (loanId: string): LoanEvent => ({ type: 'LoanAbandoned', data: { loanId, abandonedAt: at } })

/** Appends events to a loan, each after the clock has moved on. @returns them as they are stored */
const given = async (loanId: string, ...events: readonly LoanEvent[]): Promise<readonly StoredEvent[]> => {
  const stream = `loan-${loanId}`
  for (const event of events) {
    const last = (await store.readStream(stream, 0n, 1_000)).at(-1)
    await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(last?.recordedAt.getTime() ?? 0)
    await store.append(stream, [{ ...event, id: randomUUID(), metadata: {} }], last?.revision ?? 'no_stream')
  }
  return store.readStream(stream, 0n, 1_000)
}
/** A loan that waited for an underwriter and was denied. */
const deniedLoan = async (requestedBy = alice) => {
  const id = randomUUID()
  const events = await given(id, requested(id, requestedBy), checked(id), reviewed(id, requestedBy), denied(id))
  return { id, path: `/api/loans/${id}`, events }
}
const momentOf = (event: StoredEvent | undefined, plusMs = 0): string =>
  new Date((event?.recordedAt.getTime() ?? 0) + plusMs).toISOString()

const sightOf = (name: (typeof loanViews)[number]['name']) => {
  const sight = loanViews.find((sight) => sight.name === name)
  if (!sight) throw new Error(`There is no sight ${name}.`)
  return sight
}

describe('GET /api/loans/:id?asOf', () => {
  test.each(loanViews.map(({ name }) => name))(
    'is the projection of the events up to there, as %s sees it',
    async (who) => {
      const { id, path, events } = await deniedLoan()
      for (const [n, event] of events.entries()) {
        const row = rowsAfter(loans, events.slice(0, n + 1)).loans.get(id)
        if (!row) throw new Error('There is no row.')
        for (const asOf of [`${n}`, momentOf(event), momentOf(event).replace('Z', '%2B00:00')]) {
          const { status, headers, body } = await ask(who, `${path}?asOf=${asOf}`)
          expect(status).toBe(200)
          expect(body).toEqual(loanAsSeen(row, sightOf(who)))
          expect(headers.get('etag')).toBe(`"${n}"`)
          expect(headers.get('headwater-position')).toBe(formatPosition(event.position))
          expect(headers.get('cache-control')).toBe('no-store')
        }
      }
    },
  )

  test('has no personal data for its owner, at no moment', async () => {
    const { path, events } = await deniedLoan()
    for (const revision of events.keys()) {
      const { body } = await ask('owner', `${path}?asOf=${revision}`)
      expect(JSON.stringify(body)).not.toMatch(/Ada|Bath|555555|AA|score|una|debt/)
    }
    expect(JSON.stringify((await ask('underwriter', `${path}?asOf=0`)).body)).not.toContain('555555')
  })

  test('stands between two events as after the first of them, and after the last as now', async () => {
    const { path, events } = await deniedLoan()
    const last = events.at(-1)
    expect((await ask('owner', `${path}?asOf=${momentOf(events[1], -1)}`)).headers.get('etag')).toBe('"0"')
    const later = [momentOf(last, 1), momentOf(last, 86_400_000), '2999-01-01T00:00:00-05:00']
    for (const moment of later)
      expect((await ask('owner', `${path}?asOf=${moment}`)).body).toMatchObject({ status: 'denied' })
  })

  test('is 404 before the loan was there, and for a revision that is not there yet', async () => {
    const { path, events } = await deniedLoan()
    for (const who of ['owner', 'underwriter', 'operator'] as const) {
      const before = await ask(who, `${path}?asOf=${momentOf(events[0], -1)}`)
      expect([before.status, before.body.code]).toEqual([404, 'loan_not_found'])
      expect(before.body.detail).toBe('There was no such loan yet at that moment.')
      const beyond = await ask(who, `${path}?asOf=4`)
      expect([beyond.status, beyond.body.code]).toEqual([404, 'revision_not_found'])
      expect(beyond.body.detail).toBe('There is no revision 4: the last is 3.')
    }
  })

  test.each([
    '',
    '-1',
    '1.5',
    'yesterday',
    '2026-11-21',
    '2026-11-21T09:00:00',
    '2026-02-30T09:00:00Z',
    '1'.repeat(30),
  ])('asOf=%s is refused by the name of its field', async (asOf) => {
    const { path } = await deniedLoan()
    const { status, body } = await ask('owner', `${path}?asOf=${asOf}`)
    expect(status).toBe(422)
    expect(body).toMatchObject({ code: 'validation', errors: [{ field: 'asOf' }] })
  })

  test('does not go with after: the past is not waited for', async () => {
    const { path } = await deniedLoan()
    const { status, body } = await ask('owner', `${path}?asOf=0&after=1/1`)
    expect(status).toBe(422)
    expect(body).toMatchObject({ code: 'validation', errors: [{ field: 'after' }] })
  })
})

describe('GET /api/loans/:id/changes', () => {
  test('tells an underwriter what differs, the national id masked', async () => {
    const { path, events } = await deniedLoan()
    const changes = async (query: string) => (await ask('underwriter', `${path}/changes?${query}`)).body
    expect(await changes('from=1&to=2')).toEqual({
      from: { revision: 1, at: momentOf(events[1]) },
      to: { revision: 2, at: momentOf(events[2]) },
      changes: [{ field: 'status', before: 'checking', after: 'awaiting review' }],
    })
    expect((await changes('from=0')).changes).toEqual([
      { field: 'status', before: 'checking', after: 'denied' },
      { field: 'score', before: null, after: 5 },
      { field: 'decidedBy', before: null, after: 'una' },
      { field: 'reason', before: null, after: 'too much debt' },
      { field: 'decidedAt', before: null, after: at },
    ])
    const born = await changes(`from=${momentOf(events[0], -1)}&to=0`)
    expect(born).toMatchObject({ from: null, to: { revision: 0 } })
    expect(born.changes).toContainEqual({ field: 'nationalId', before: null, after: '••••••AA' })
    expect(await changes('from=2&to=2')).toMatchObject({ from: { revision: 2 }, to: { revision: 2 }, changes: [] })
    expect(await changes(`from=${momentOf(events[0])}&to=${momentOf(events[1])}`)).toMatchObject({
      changes: [{ field: 'score' }],
    })
  })

  test('tells the others what they see of the loan, and nothing else', async () => {
    const { path } = await deniedLoan()
    const over = [
      { field: 'status', before: 'checking', after: 'denied' },
      { field: 'decidedAt', before: null, after: at },
    ]
    for (const who of ['owner', 'operator'] as const) {
      const { status, body, headers } = await ask(who, `${path}/changes?from=0`)
      expect(status).toBe(200)
      expect(body.changes).toEqual(over)
      expect(headers.get('cache-control')).toBe('no-store')
      expect((await ask(who, `${path}/changes?from=0&to=1`)).body.changes).toEqual([])
    }
  })

  test('says up to which position it is true', async () => {
    const { path, events } = await deniedLoan()
    for (const [revision, { position }] of events.entries()) {
      const { headers } = await ask('owner', `${path}/changes?from=0&to=${revision}`)
      expect(headers.get('headwater-position')).toBe(formatPosition(position))
    }
  })

  test.each([
    ['', 422, 'validation', 'from'],
    ['from=x', 422, 'validation', 'from'],
    ['from=0&to=x', 422, 'validation', 'to'],
    ['from=2&to=1', 422, 'validation', 'from'],
    ['from=0&odd=1', 422, 'validation', 'odd'],
    ['from=9', 404, 'revision_not_found', undefined],
    ['from=0&to=9', 404, 'revision_not_found', undefined],
    ['from=0&to=2020-01-01T00:00:00Z', 404, 'loan_not_found', undefined],
  ])('%s is a problem: %i %s', async (query, status, code, field) => {
    const { path } = await deniedLoan()
    const answer = await ask('owner', `${path}/changes?${query}`)
    expect(answer.status).toBe(status)
    expect(answer.body).toMatchObject({ code, ...(field && { errors: [{ field }] }) })
  })
})

describe.each(['?asOf=0', '?asOf=99', '?asOf=2020-01-01T00:00:00Z', '/changes?from=0', '/changes?from=99'])(
  'the past of somebody else at %s',
  (query) => {
    test('is answered as that of a loan which does not exist', async () => {
      const { id, path } = await deniedLoan()
      const none = randomUUID()
      for (const [who, whoOfNone] of [
        ['stranger', 'stranger'],
        ['partner', 'partner'],
        [{ linkTo: randomUUID() }, { linkTo: randomUUID() }],
      ] as const) {
        const [theirs, nobodys] = [await ask(who, path + query), await ask(whoOfNone, `/api/loans/${none}${query}`)]
        expect(theirs.status).toBe(404)
        expect(theirs.body).toMatchObject({ code: 'loan_not_found', detail: 'There is no such loan.' })
        expect(theirs.body).toEqual(nobodys.body)
        for (const name of ['etag', 'headwater-position', 'cache-control'])
          expect(theirs.headers.get(name)).toBe(nobodys.headers.get(name))
      }
      expect((await ask('nobody', `/api/loans/${id}${query}`)).status).toBe(401)
      expect((await ask('partner without the scope', `/api/loans/${id}${query}`)).status).toBe(403)
    })
  },
)

test('is shown to the partner that asked, and to a holder of the link', async () => {
  const ofPartner = await deniedLoan({ kind: 'partner', id: 'acme' })
  const ofNobody = await deniedLoan({ kind: 'anonymous', id: 'anonymous' })
  for (const [who, { path }] of [
    ['partner', ofPartner],
    [{ linkTo: ofNobody.id }, ofNobody],
  ] as const) {
    expect((await ask(who, `${path}?asOf=2`)).body).toMatchObject({ status: 'awaiting review' })
    expect((await ask(who, `${path}/changes?from=2`)).body.changes).toHaveLength(2)
  }
})

test('a request that never arrived has no past to show', async () => {
  const id = randomUUID()
  await given(id, abandoned(id))
  for (const query of ['?asOf=0', '/changes?from=0'])
    expect((await ask('underwriter', `/api/loans/${id}${query}`)).status).toBe(404)
})

test('a deleted loan shows no past, and a loan with hidden events no incomplete one', async () => {
  const [deleted, truncated] = [await deniedLoan(), await deniedLoan()]
  await store.tombstone(`loan-${deleted.id}`)
  const metadata = { id: randomUUID(), type: '$metadata', data: { $tb: 2 }, metadata: {} }
  await store.append(`$$loan-${truncated.id}`, [metadata], 'any')
  for (const query of ['?asOf=0', '/changes?from=0', '/history']) {
    const gone = await ask('underwriter', deleted.path + query)
    expect([gone.status, gone.body.code, gone.body.detail]).toEqual([404, 'loan_not_found', 'There is no such loan.'])
    const cut = await ask('underwriter', truncated.path + query)
    expect([cut.status, cut.body.code]).toEqual([503, 'stream_truncated'])
  }
})

test('a loan with more events than are read at once says so, to those who may see it', async () => {
  const [id, just] = [randomUUID(), randomUUID()]
  const append = (id: string, count: number) => {
    const events = [requested(id), ...Array.from({ length: count - 1 }, () => checked(id))]
    return store.append(
      `loan-${id}`,
      events.map((event) => ({ ...event, id: randomUUID(), metadata: {} })),
      'no_stream',
    )
  }
  await append(just, 1_000)
  await append(id, 1_001)
  expect((await ask('owner', `/api/loans/${just}?asOf=999`)).headers.get('etag')).toBe('"999"')
  for (const path of [`/api/loans/${id}?asOf=0`, `/api/loans/${id}/changes?from=0`, `/api/loans/${id}/history`]) {
    const { status, body } = await ask('underwriter', path)
    expect([status, body.code]).toEqual([422, 'history_too_long'])
  }
  expect((await ask('stranger', `/api/loans/${id}?asOf=0`)).body).toMatchObject({ detail: 'There is no such loan.' })
})

test('an event that only a newer version knows stops the answer: nothing is guessed', async () => {
  const { id, path, events } = await deniedLoan()
  const unknown = { id: randomUUID(), type: 'LoanPaintedGreen', data: { loanId: id }, metadata: {} }
  await store.append(`loan-${id}`, [unknown], BigInt(events.length - 1))
  const { status, body } = await ask('underwriter', `${path}?asOf=0`)
  expect([status, body.code]).toEqual([503, 'unknown_event_type'])
})

test('the events up to a moment end before the first that was recorded later, also by a clock that was set back', () => {
  const place = fc.integer({ min: 0, max: 6 }).map((n) => new Date(n))
  fc.assert(
    fc.property(fc.array(place), place, (times, moment) => {
      const events = times.map((recordedAt, n) => ({ revision: BigInt(n), recordedAt }) as StoredEvent)
      const taken = eventsUpTo(events, { moment })
      expect(taken).toEqual(events.slice(0, taken.length))
      expect(taken.every(({ recordedAt }) => recordedAt <= moment)).toBe(true)
      const next = events[taken.length]
      expect(next === undefined || next.recordedAt > moment).toBe(true)
    }),
  )
})
