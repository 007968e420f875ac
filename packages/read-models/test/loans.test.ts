// Read model `loans`: what each event does to a row, what its queries find, and what strangers may see.
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { LoanEvent, RequestedBy } from '@headwater/deciders/loan/loan-events'
import { formatCursor, parseCursor } from '@headwater/projections/model/cursor'
import { shapeOf } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink } from '@headwater/projections/model/sink'
import { stepOver } from '@headwater/projections/model/step'
import { openSqliteReader, type SqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { at, deletedAt, logger, storeId } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  compareLoans,
  type LoanRow,
  listLoans,
  loanById,
  loanCursorOf,
  loans,
  matchesLoan,
  publicLoan,
} from '../src/loan/loans.ts'

const requestedBy = { kind: 'anonymous', id: 'anonymous' } as const
const personal = { name: 'Ada Lovelace', nationalId: '555555AA' }
const decidedAt = '2026-11-21T10:00:00.000Z'

const requested = (
  loanId: string,
  requestedAt = '2026-11-21T09:00:00.000Z',
  by: RequestedBy = requestedBy,
): LoanEvent => ({
  type: 'LoanRequested',
  data: { loanId, ...personal, address: '12 St James Square', amount: 500, requestedBy: by, requestedAt },
})
const checked = (loanId: string, score: number): LoanEvent => ({
  type: 'CreditChecked',
  data: { loanId, score, checkedAt: decidedAt },
})
const reviewed = (loanId: string): LoanEvent => ({
  type: 'ManualReviewRequired',
  data: { loanId, ...personal, amount: 500, score: 5, requestedBy, requestedAt: '2026-11-21T09:00:00.000Z' },
})

let directory: string
let sink: Sink
let reader: SqliteReader
let checkpoint: Checkpoint

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'loans-'))
  sink = openSqliteSink({ directory, projection: loans, logger })
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  checkpoint = claimed
  reader = openSqliteReader({ directory, projection: loans, logger })
})
afterEach(async () => {
  reader.close()
  await sink.close()
  rmSync(directory, { recursive: true })
})

const given = async (...events: readonly LoanEvent[]) => {
  const revisions = new Map<string, bigint>()
  const stored = events.map((event, n) => {
    const { loanId } = event.data
    const revision = (revisions.get(loanId) ?? -1n) + 1n
    revisions.set(loanId, revision)
    const position = at(checkpoint.position.commit + BigInt(n) + 1n)
    return {
      id: randomUUID(),
      stream: `loan-${loanId}`,
      revision,
      position,
      metadata: {},
      recordedAt: new Date(),
      ...event,
    }
  })
  const step = stepOver(loans, checkpoint, { events: stored, position: stored.at(-1)?.position ?? checkpoint.position })
  await sink.commit(step)
  checkpoint = step.to
}
/** Of types of the store's own, each in a batch of its own. */
const ofStore = async (type: string, loanId: string) => {
  const position = at(checkpoint.position.commit + 1n)
  const step = stepOver(loans, checkpoint, {
    events: [{ ...deletedAt(position.commit, `loan-${loanId}`), type }],
    position,
  })
  await sink.commit(step)
  checkpoint = step.to
}
const loan = (loanId: string): LoanRow | undefined => reader.read((db) => db.rows(loanById(loanId))[0]).value

test('a deleted loan is removed, live viewers see it go; other types of the store change nothing', async () => {
  const [id, other] = [randomUUID(), randomUUID()]
  await given(requested(id), requested(other))
  const { token } = reader.read((db) => db.rows(loanById(id)))
  await ofStore('$maintenance', id)
  expect(loan(id)).toBeDefined()
  await ofStore('$streamDeleted', id)
  expect([loan(id), loan(other)]).toEqual([undefined, expect.objectContaining({ loanId: other })])
  expect(reader.changesSince(token, 10)).toMatchObject({ changes: [{ table: 'loans', key: id, after: null }] })
})

describe('a row', () => {
  const id = randomUUID()
  const decided = { loanId: id, decidedBy: 'una', reason: 'fine', decidedAt }

  test.each<[readonly LoanEvent[], Partial<LoanRow>]>([
    [[], { status: 'checking', score: null, decidedAt: null, revision: 0 }],
    [
      [checked(id, 9), { type: 'AutoApproved', data: { loanId: id, score: 9, decidedAt } }],
      { status: 'approved', score: 9, decidedBy: null, decidedAt, revision: 2 },
    ],
    [
      [checked(id, 1), { type: 'AutoDenied', data: { loanId: id, score: 1, decidedAt } }],
      { status: 'denied', score: 1, decidedBy: null, decidedAt },
    ],
    [[checked(id, 5), reviewed(id)], { status: 'awaiting review', score: 5, decidedAt: null }],
    [
      [checked(id, 5), reviewed(id), { type: 'ManuallyApproved', data: decided }],
      { status: 'approved', decidedBy: 'una', reason: 'fine', decidedAt, revision: 3 },
    ],
    [
      [checked(id, 5), reviewed(id), { type: 'ManuallyDenied', data: { ...decided, reason: null } }],
      { status: 'denied', decidedBy: 'una', reason: null },
    ],
    [
      [{ type: 'LoanWithdrawn', data: { loanId: id, reason: 'found another', withdrawnAt: decidedAt } }],
      { status: 'withdrawn', reason: 'found another', decidedAt },
    ],
  ])('after %j', async (events, expected) => {
    await given(requested(id), ...events)
    expect(loan(id)).toMatchObject(expected)
  })

  test('a loan that was abandoned before its request arrived is not shown', async () => {
    await given({ type: 'LoanAbandoned', data: { loanId: id, abandonedAt: decidedAt } })
    expect(loan(id)).toBeUndefined()
  })
})

test('lists page through every loan once, newest first, also where times are equal', async () => {
  const times = ['2026-11-21T09:00:00.000Z', '2026-11-21T09:00:01.000Z', '2026-11-21T09:00:01.000Z']
  const events = Array.from({ length: 9 }, (_, n) => requested(randomUUID(), times[n % 3]))
  await given(...events)
  const seen: LoanRow[] = []
  for (let page = 0; page < 3; page++) {
    const after =
      seen.length > 0 ? parseCursor(formatCursor(loanCursorOf(seen[seen.length - 1] as LoanRow))) : undefined
    seen.push(...reader.read((db) => db.rows(listLoans({ after, limit: 4 }))).value)
  }
  expect(new Set(seen.map(({ loanId }) => loanId)).size).toBe(9)
  expect(seen).toEqual([...seen].sort(compareLoans))
})

test('lists hold the loans of a status only', async () => {
  const [one, two] = [randomUUID(), randomUUID()]
  await given(requested(one), requested(two), checked(two, 5), reviewed(two))
  const waiting = reader.read((db) => db.rows(listLoans({ status: 'awaiting review', limit: 10 }))).value
  expect(waiting.map(({ loanId }) => loanId)).toEqual([two])
  expect(waiting.every(matchesLoan({ status: 'awaiting review' }))).toBe(true)
})

test.each([
  '',
  'a b',
  '2026-11-21T09:00:00.000Z',
  '2026-11-21T09:00:00.000Z a c',
  '2026-11-21T09:00:00.000Z a\u0000',
  '2026-11-21T09:00:00.000Z\u0000 a',
  '2026-11-21 a',
])('%j is no cursor', (text) => {
  expect(parseCursor(Buffer.from(text).toString('base64url'))).toBeUndefined()
})

test('the loans of some people and some others by name, and the query and the match agree', async () => {
  const [byAlice, byBob, byClient, byNobody, another] = Array.from({ length: 5 }, () => randomUUID()) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const day = '2026-11-21T09:00:00.000Z'
  const alice = { kind: 'person', id: 'alice' } as const
  await given(
    requested(byAlice, day, alice),
    requested(byBob, day, { kind: 'person', id: 'bob' }),
    requested(byClient, day, { kind: 'partner', id: 'alice' }),
    requested(byNobody, day),
    requested(another, day),
  )
  const all = reader.read((db) => db.rows(listLoans({ limit: 10 }))).value
  for (const [owned, expected] of [
    [{ requestedBy: [alice], loanIds: [] }, [byAlice]],
    [{ requestedBy: [alice], loanIds: [byNobody] }, [byAlice, byNobody]],
    [{ requestedBy: [], loanIds: [another, randomUUID()] }, [another]],
    [{ requestedBy: [], loanIds: [] }, []],
  ] as const) {
    const listed = reader.read((db) => db.rows(listLoans({ owned, limit: 10 }))).value
    expect(listed.map(({ loanId }) => loanId).sort()).toEqual([...expected].sort())
    expect(all.filter(matchesLoan({ owned }))).toEqual(listed)
  }
})

test('strangers see nothing of a person', async () => {
  const id = randomUUID()
  await given(requested(id))
  const row = loan(id)
  if (!row) throw new Error('There is no row.')
  expect(Object.keys(publicLoan(row))).toEqual(['loanId', 'amount', 'status', 'requestedAt', 'decidedAt'])
})

// A shape that is recorded here may be deployed somewhere: never edit an entry, add the next version.
test('another shape is another version', () => {
  const recorded: Readonly<Record<number, string>> = {
    1: '{"loans":{"key":"loanId","columns":{"loanId":"text","name":"text","address":"text","nationalId":"text","amount":"integer","status":"text","score":"integer or null","requestedByKind":"text","requestedById":"text","requestedAt":"text","decidedBy":"text or null","reason":"text or null","decidedAt":"text or null","revision":"integer"},"indexes":[["requestedAt","loanId"],["status","requestedAt","loanId"]]}}',
    2: '{"loans":{"key":"loanId","columns":{"loanId":"text","name":"text","address":"text","nationalId":"text","amount":"integer","status":"text","score":"integer or null","requestedByKind":"text","requestedById":"text","requestedAt":"text","decidedBy":"text or null","reason":"text or null","decidedAt":"text or null","revision":"integer"},"indexes":[["requestedAt","loanId"],["status","requestedAt","loanId"],["requestedByKind","requestedById","requestedAt","loanId"]]}}',
  }
  expect(recorded[loans.version]).toBe(shapeOf(loans))
})

describe('a reader', () => {
  test('waits for a file that is not there yet', async () => {
    const later = path.join(directory, 'later')
    const early = openSqliteReader({ directory: later, projection: loans, logger })
    expect(early.ready()).toBe(false)
    expect(() => early.checkpoint()).toThrow(expect.objectContaining({ code: 'read_model_not_ready' }))
    expect(await early.waitFor(at(1), 20)).toBe(false)
    const arrived = early.waitFor(at(0), 20_000)
    const writer = openSqliteSink({ directory: later, projection: loans, logger })
    await writer.claim(storeId)
    expect(await arrived).toBe(true)
    expect(early.ready()).toBe(true)
    early.close()
    await writer.close()
  })

  test('turns to a file that takes the place of the one it reads', async () => {
    const id = randomUUID()
    await given(requested(id))
    expect(loan(id)).toBeDefined()
    await sink.close()
    for (const ending of ['', '-wal', '-shm']) rmSync(path.join(directory, `loans.v2.sqlite${ending}`), { force: true })
    sink = openSqliteSink({ directory, projection: loans, logger })
    checkpoint = (await sink.claim(storeId)) ?? checkpoint
    const other = randomUUID()
    await given(requested(other), requested(randomUUID()))
    expect(await reader.waitFor(at(2), 20_000)).toBe(true)
    expect(loan(other)).toBeDefined()
    expect(loan(id)).toBeUndefined()
  })

  test('cannot write', () => {
    expect(() => reader.read((db) => db.rows({ ...loanById(''), sql: 'delete from loans where loanId = ?' }))).toThrow()
  })

  test('is woken again by a writer that follows one that was killed', async () => {
    const socket = path.join(directory, 'loans.v2.sock')
    await expect.poll(() => existsSync(socket)).toBe(true)
    await sink.close() // leaves the name behind, as a kill does
    expect(existsSync(socket)).toBe(true)
    sink = openSqliteSink({ directory, projection: loans, logger })
    checkpoint = (await sink.claim(storeId)) ?? checkpoint
    const reached = reader.waitFor(at(1), 20_000)
    await given(requested(randomUUID()))
    expect(await reached).toBe(true)
  })
})
