// A read model replayed until a moment: it is the fold of the events until then, in a file that is whole or not there.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { beginning, comparePosition } from '@headwater/eventstore/position'
import { categoryOf, streamName } from '@headwater/eventstore/stream-name'
import { rowsAfter } from '@headwater/projections/run/past'
import { type ReplayProgress, replayUntil } from '@headwater/projections/run/replay'
import { consents } from '@headwater/read-models/consent/consents'
import { loans } from '@headwater/read-models/loan/loans'
import { logger, putIn, type TillEvent, tills, until } from '@headwater/test-kit/toys/tills'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

const loanId = randomUUID()
const other = randomUUID()
const requestedAt = '2026-11-21T09:00:00.000Z'
const requested = (loanId: string) => ({
  type: 'LoanRequested',
  data: {
    loanId,
    name: 'Ada Lovelace',
    address: 'Bath',
    nationalId: '555555AA',
    amount: 500,
    requestedBy: { kind: 'person', id: 'alice' },
    requestedAt,
  },
})
const patient = { patientId: 'paula', to: { kind: 'doctor', id: 'dora' }, target: 'exams' }

/** One after the other, each in a millisecond of its own. */
const story: readonly { readonly stream: string; readonly type: string; readonly data: object }[] = [
  { stream: streamName('loan', loanId), ...requested(loanId) },
  {
    stream: streamName('patient', 'paula'),
    type: 'ConsentGranted',
    data: { ...patient, until: null, grantedAt: requestedAt },
  },
  { stream: streamName('loan', loanId), type: 'CreditChecked', data: { loanId, score: 5, checkedAt: requestedAt } },
  { stream: streamName('loan', other), ...requested(other) },
  { stream: streamName('elsewhere', '1'), type: 'OfNobodysConcern', data: {} },
  {
    stream: streamName('loan', loanId),
    type: 'ManuallyDenied',
    data: { loanId, decidedBy: 'una', reason: null, decidedAt: requestedAt },
  },
]

let store: EventStore
let stopStore: () => Promise<unknown>
let stored: readonly StoredEvent[]
let folder: string
let file: string

const append = async (stream: string, ...events: readonly { type: string; data: object }[]) => {
  const known = await store.readStream(stream, 0n, 1_000)
  const outcome = await store.append(
    stream,
    events.map((event) => ({ ...event, id: randomUUID(), metadata: {} })),
    known.at(-1)?.revision ?? 'no_stream',
  )
  if (outcome.outcome !== 'appended') throw new Error(outcome.outcome)
  return outcome.position
}
const tellTheStory = async () => {
  for (const { stream, ...event } of story) {
    const position = await append(stream, event)
    const written = (await store.eventAt(position))?.recordedAt.getTime() ?? 0
    await until('the next millisecond', () => Date.now() > written)
  }
}

beforeAll(async () => {
  // A store of its own: what others append to one that is shared would be part of this past.
  const node = await start({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
  stopStore = async () => {
    await store.close()
    await node.stop()
  }
  await store.storeId()
  await tellTheStory()
  stored = await store.readAfter(beginning, 1_000)
})
afterAll(() => stopStore())
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'replay-'))
  file = path.join(folder, 'then', 'loans.sqlite')
  return () => rmSync(folder, { recursive: true })
})

const rowsIn = (name: string, table: string, key: string): ReadonlyMap<string, object> => {
  const db = new Database(name, { readonly: true })
  const rows = db.prepare<[], Record<string, string>>(`select * from ${table}`).all()
  db.close()
  return new Map(rows.map((row) => [row[key] ?? '', row]))
}
const of = (category: string) => (event: StoredEvent) => categoryOf(event.stream) === category

test('until each moment of the store it is the fold of the events until then', async () => {
  const moments = stored.map(({ recordedAt }) => recordedAt)
  for (const [n, moment] of moments.entries()) {
    const before = stored.filter(({ recordedAt }) => recordedAt <= moment)
    const [loansThen, consentsThen] = [path.join(folder, `loans ${n}`), path.join(folder, `consents ${n}`)]
    const reached = await replayUntil({ store, projection: loans, file: loansThen, until: { moment } })
    await replayUntil({ store, projection: consents, file: consentsThen, until: { moment } })
    expect(rowsIn(loansThen, 'loans', 'loanId')).toEqual(rowsAfter(loans, before.filter(of('loan'))).loans)
    expect(rowsIn(consentsThen, 'consents', 'consentId')).toEqual(
      rowsAfter(consents, before.filter(of('patient'))).consents,
    )
    expect(reached).toEqual({
      events: before.filter(of('loan')).length,
      position: before.at(-1)?.position,
      parkedStreams: 0,
    })
  }
  expect(new Set(moments.map(Number)).size).toBeGreaterThanOrEqual(story.length)
})

test('until each position it is the fold of the events until there, that of the position with them', async () => {
  for (const [n, { position }] of stored.entries()) {
    const then = path.join(folder, `${n}`)
    await replayUntil({ store, projection: loans, file: then, until: { position } })
    const before = stored.filter((event) => comparePosition(event.position, position) <= 0)
    expect(rowsIn(then, 'loans', 'loanId')).toEqual(rowsAfter(loans, before.filter(of('loan'))).loans)
  }
})

test('what was recorded by a clock that was set back afterwards does not count', async () => {
  const [, , late] = stored.filter(of('loan'))
  if (!late) throw new Error('The story is too short.')
  const setForward = (event: StoredEvent) =>
    event.id === late.id ? { ...event, recordedAt: new Date('2999-01-01') } : event
  const readAfter: EventStore['readAfter'] = async (position, count) =>
    (await store.readAfter(position, count)).map(setForward)
  const reached = await replayUntil({
    store: { ...store, readAfter },
    projection: loans,
    file,
    until: { moment: new Date('2998-01-01') },
  })
  expect(reached.events).toBe(2)
})

test('before the first event there are tables without rows, and past the last all rows', async () => {
  await replayUntil({ store, projection: loans, file, until: { moment: new Date(0) } })
  expect(rowsIn(file, 'loans', 'loanId').size).toBe(0)
  const later = path.join(folder, 'later')
  const reached = await replayUntil({
    store,
    projection: loans,
    file: later,
    until: { moment: new Date('2999-01-01') },
  })
  expect(reached).toEqual({ events: 4, position: await store.head(), parkedStreams: 0 })
  expect(rowsIn(later, 'loans', 'loanId').size).toBe(2)
})

test('the file is one, for its owner only, and says where it stands', async () => {
  const { position } = await replayUntil({ store, projection: loans, file, until: { position: await store.head() } })
  expect(readdirSync(path.dirname(file))).toEqual(['loans.sqlite'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const db = new Database(file, { readonly: true })
  const at = db.prepare('select commitPosition, preparePosition from checkpoint').safeIntegers().get()
  db.close()
  expect(at).toEqual({ commitPosition: position.commit, preparePosition: position.prepare })
})

test('a file that is there is left as it is, also when it came meanwhile', async () => {
  const all = { position: await store.head() }
  const taken = path.join(folder, 'taken')
  writeFileSync(taken, 'precious')
  await expect(replayUntil({ store, projection: loans, file: taken, until: all })).rejects.toThrow('is there already')
  const meanwhile = path.join(folder, 'meanwhile')
  const onProgress = () => writeFileSync(meanwhile, 'precious')
  await expect(replayUntil({ store, projection: loans, file: meanwhile, until: all, onProgress })).rejects.toThrow(
    'is there already',
  )
  expect([taken, meanwhile].map((name) => readFileSync(name, 'utf8'))).toEqual(['precious', 'precious'])
  expect(readdirSync(folder).sort()).toEqual(['meanwhile', 'taken'])
})

test('a long one tells how far it is, and leaves nothing when it is ended or meets an event that it cannot take in', async () => {
  const putIns: TillEvent[] = Array.from({ length: 1_200 }, (_, n) => putIn('a', n))
  await append(streamName('till', 'a'), ...putIns)
  const last = await store.head()

  const told: ReplayProgress[] = []
  const all = { position: last }
  const reached = await replayUntil({ store, projection: tills, file, until: all, onProgress: (now) => told.push(now) })
  expect(told.length).toBeGreaterThan(2)
  expect(told.every(({ position }, n) => n === 0 || comparePosition(position, told[n - 1]?.position ?? last) > 0)).toBe(
    true,
  )
  expect(told.at(-1)).toEqual(reached)
  expect(reached).toEqual({ events: 1_200, position: last, parkedStreams: 0 })
  expect(rowsIn(file, 'tills', 'tillId').get('a')).toMatchObject({ amount: (1_199 * 1_200) / 2 })

  const ended = path.join(folder, 'ended')
  const ending = new AbortController()
  const onProgress = () => ending.abort(new Error('enough'))
  await expect(
    replayUntil({ store, projection: tills, file: ended, until: all, onProgress, signal: ending.signal }),
  ).rejects.toThrow('enough')

  expect(readdirSync(folder)).toEqual(['then'])

  await append(streamName('till', 'b'), { type: 'TillBroken', data: { tillId: 'b' } })
  await append(streamName('till', 'c'), putIn('c', 1))
  const broken = path.join(folder, 'broken')
  const beyond = { position: await store.head() }
  const withBad = await replayUntil({ store, projection: tills, file: broken, until: beyond })
  expect(withBad).toMatchObject({ events: 1_202, parkedStreams: 1 })
  expect([...rowsIn(broken, 'tills', 'tillId').keys()]).toEqual(['a', 'c'])
})
