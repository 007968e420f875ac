// Read model `audit` in Postgres: what was done, refused and looked at can be searched for, and names nobody who applied.
import { randomUUID } from 'node:crypto'
import type { AuditEvent } from '@headwater/deciders/audit/audit-events'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { formatCursor, parseCursor } from '@headwater/projections/model/cursor'
import { shapeOf } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink } from '@headwater/projections/model/sink'
import { stepOver } from '@headwater/projections/model/step'
import { openPostgresReader, type PostgresReader } from '@headwater/projections/postgres/reader'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { at, deletedAt, logger, storeId } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AuditRow, audit } from '../src/audit/audit.ts'
import { type AuditFilter, auditCursorOf, listAudit } from '../src/audit/audit-queries.ts'

let database: TestDatabase
let reader: PostgresReader
let sink: Sink
let checkpoint: Checkpoint | undefined
beforeEach(async () => {
  database = await testDatabase()
  reader = openPostgresReader({ url: database.url, projection: audit, logger })
  sink = openPostgresSink({ url: database.url, projection: audit, logger })
  checkpoint = await sink.claim(storeId)
})
afterEach(async () => {
  await reader.close()
  await sink.close()
  await database.remove()
})

const applicant = { name: 'Ada Lovelace', address: '12 St James Square', nationalId: '555555AA' }
const noon = Date.parse('2026-11-21T12:00:00.000Z')
const momentAt = (minute: number) => new Date(noon + minute * 60_000).toISOString()

let place = 0
const stored = (
  stream: string,
  event: { readonly type: string; readonly data: object },
  metadata: StoredEvent['metadata'] = {},
): StoredEvent => {
  place += 1
  const recordedAt = new Date(momentAt(place))
  return { id: randomUUID(), stream, revision: 0n, position: at(place), metadata, recordedAt, ...event }
}
/** A loan that its applicant asked for and an underwriter approved. */
const loanEvents = (loanId: string): readonly StoredEvent[] => {
  const asked = { actor: 'anonymous', $correlationId: 'trace-of-asking', commandId: randomUUID() }
  const decided = { actor: 'uma', $correlationId: 'trace-of-deciding', commandId: randomUUID() }
  return [
    stored(`applicant-${'ab'.repeat(32)}`, { type: 'ApplicationReserved', data: { loanId, at: momentAt(0) } }, asked),
    stored(`loan-${loanId}`, { type: 'LoanRequested', data: { loanId, ...applicant } }, asked),
    stored(`loan-${loanId}`, { type: 'ManuallyApproved', data: { loanId, decidedBy: 'uma' } }, decided),
  ]
}
const person = (sub: string, ...roles: readonly string[]) => ({ kind: 'person', sub, roles }) as const
const audited = (event: AuditEvent) => stored('audit-2026-11-21', event, { $correlationId: 'trace-of-audit' })
const refused = (loanId: string, minute: number, sub = 'alice') =>
  audited({
    type: 'RequestRefused',
    data: {
      actor: person(sub),
      at: momentAt(minute),
      method: 'POST',
      route: '/api/loans/:id/approve',
      resource: loanId,
      status: 403,
      code: 'forbidden',
    },
  })

const project = async (...events: readonly StoredEvent[]) => {
  if (!checkpoint) throw new Error('The claim was refused.')
  const step = stepOver(audit, checkpoint, { events, position: events.at(-1)?.position ?? checkpoint.position })
  expect(await sink.commit(step)).toBe('committed')
  checkpoint = step.to
}
const list = async (filter: AuditFilter = {}, limit = 100, after?: AuditRow) =>
  (await reader.rows(listAudit(filter, { limit, after: after && parseCursor(formatCursor(auditCursorOf(after))) })))
    .value

test('entries about a deleted stream stay, and its deletion is an entry', async () => {
  const loanId = randomUUID()
  await project(...loanEvents(loanId), refused(loanId, 11))
  const before = await list()
  const place = (checkpoint?.position.commit ?? 0n) + 1n
  await project(deletedAt(place, `loan-${loanId}`), deletedAt(place + 1n, 'audit-2026-11-20'))
  const [, ...rest] = await list({ resource: loanId })
  const all = await list()
  expect(all).toEqual(expect.arrayContaining([...before]))
  expect(
    all
      .filter(({ action }) => action === 'StreamDeleted')
      .map(({ resource }) => resource)
      .toSorted(),
  ).toEqual(['2026-11-20', loanId].toSorted())
  expect(rest.length).toBeGreaterThan(0)
})

test('tells what was done, refused and looked at', async () => {
  const loanId = randomUUID()
  const uma = person('uma', 'underwriter')
  await project(
    ...loanEvents(loanId),
    refused(loanId, 11),
    audited({ type: 'LoanViewed', data: { actor: uma, at: momentAt(12), loanId, part: 'history' } }),
    audited({ type: 'NationalIdRevealed', data: { actor: uma, at: momentAt(13), loanId } }),
    audited({
      type: 'ListFollowed',
      data: { actor: uma, at: momentAt(14), list: 'underwriting', filter: { search: true, score: 5 } },
    }),
  )
  const rows = (await list()).map(({ eventId: _, at: __, ...row }) => row)
  const accepted = { resource: loanId, outcome: 'accepted', code: null, details: null }
  const viewed = { actor: 'uma', outcome: 'viewed', code: null, correlationId: 'trace-of-audit' }
  expect(rows.filter(({ outcome }) => outcome === 'accepted').map(({ action }) => action)).toEqual([
    'ManuallyApproved',
    'LoanRequested',
    'ApplicationReserved',
  ])
  expect(rows).toEqual(
    expect.arrayContaining([
      { ...accepted, actor: 'uma', action: 'ManuallyApproved', correlationId: 'trace-of-deciding' },
      { ...accepted, actor: 'anonymous', action: 'ApplicationReserved', correlationId: 'trace-of-asking' },
      {
        actor: 'alice',
        action: 'POST /api/loans/:id/approve',
        resource: loanId,
        outcome: 'refused',
        code: 'forbidden',
        details: null,
        correlationId: 'trace-of-audit',
      },
      { ...viewed, action: 'LoanViewed', resource: loanId, details: '{"part":"history"}' },
      { ...viewed, action: 'NationalIdRevealed', resource: loanId, details: null },
      {
        ...viewed,
        action: 'ListFollowed',
        resource: null,
        details: '{"list":"underwriting","search":true,"score":5}',
      },
    ]),
  )
})

test('tells who may see which part of whose record, who looked it up and how often, and what operators did', async () => {
  const hospital = { kind: 'partner', sub: 'hospital', roles: [] } as const
  const doctor = { kind: 'doctor', id: 'dora' } as const
  const granted = { patientId: 'paul', to: doctor, target: 'exams', until: null, grantedAt: momentAt(1) }
  const webhookId = randomUUID()
  await project(
    stored('patient-paul', { type: 'ConsentGranted', data: granted }, { actor: 'paul' }),
    stored('patient-paul', { type: 'ContactRegistered', data: { patientId: 'paul', email: 'paul@example.org' } }),
    audited({
      type: 'ConsentsChecked',
      data: {
        actor: hospital,
        at: momentAt(60),
        checks: [
          { patientId: 'paul', grantee: doctor, target: 'exams', count: 3 },
          { patientId: 'petra', grantee: doctor, target: 'all', count: 1 },
        ],
      },
    }),
    audited({
      type: 'OperationDone',
      data: {
        actor: person('otto', 'operator'),
        at: momentAt(61),
        method: 'POST',
        route: '/api/webhooks/:id/disable',
        resource: webhookId,
      },
    }),
    audited({ type: 'RefusalsUnlisted', data: { actor: person('pushy'), at: momentAt(62) } }),
  )
  const ofPaul = await list({ resource: 'paul' })
  expect(ofPaul.map(({ actor, action, outcome, details }) => [actor, action, outcome, details])).toEqual([
    ['hospital', 'ConsentChecked', 'viewed', '{"grantee":"doctor dora","target":"exams","count":3}'],
    ['unknown', 'ContactRegistered', 'accepted', null],
    ['paul', 'ConsentGranted', 'accepted', '{"grantee":"doctor dora","target":"exams"}'],
  ])
  expect(await list({ actor: 'hospital' })).toHaveLength(2)
  expect(await list({ actor: 'otto' })).toMatchObject([
    { action: 'POST /api/webhooks/:id/disable', resource: webhookId, outcome: 'accepted' },
  ])
  expect(await list({ actor: 'pushy' })).toMatchObject([{ action: 'RefusalsUnlisted', outcome: 'refused' }])
  expect(JSON.stringify(await list())).not.toContain('paul@example.org')
})

test('knows nothing of persons, nor the names of their streams', async () => {
  const loanId = randomUUID()
  await project(...loanEvents(loanId), refused(loanId, 11))
  const { rows } = await database.client.query(
    `select e::text as text from audit_v2.entries e union all select f::text from audit_v2.feed f`,
  )
  expect(rows.length).toBeGreaterThan(4)
  for (const { text } of rows)
    for (const secret of [...Object.values(applicant), 'abababab']) expect(text).not.toContain(secret)
})

test('takes in what contexts to come will write, and the same event only once', async () => {
  const event = stored('user-alice', { type: 'EmailChanged', data: { userId: 'alice' } }, { actor: 'alice' })
  const newer = { type: 'ConsentGranted', data: { record: 'paula', target: 7 } }
  await project(
    event,
    stored('loan-1', { type: 'NeverHeardOf', data: {} }),
    stored('patient-paula', newer, { actor: 'paula', schema: 2 }),
    { ...event, position: at(++place) },
  )
  expect((await list()).map(({ action, actor, resource }) => [action, actor, resource])).toEqual([
    ['ConsentGranted', 'paula', 'paula'],
    ['NeverHeardOf', 'unknown', '1'],
    ['EmailChanged', 'alice', 'alice'],
  ])
})

test('refuses to guess what an audit event of a newer version means', async () => {
  await expect(project(stored('audit-2026-11-21', { type: 'NeverHeardOf', data: {} }))).rejects.toThrow('newer version')
})

describe('searching', () => {
  const [one, other] = [randomUUID(), randomUUID()]
  const minutes = async (filter: AuditFilter) => (await list(filter)).map((row) => (Date.parse(row.at) - noon) / 60_000)
  const dayMinutes = 24 * 60

  beforeEach(() =>
    project(refused(one, 0), refused(one, 1, 'bob'), refused(other, dayMinutes), refused(one, 2 * dayMinutes)),
  )

  test.each<[AuditFilter, readonly number[]]>([
    [{}, [2 * dayMinutes, dayMinutes, 1, 0]],
    [{ actor: 'bob' }, [1]],
    [{ resource: one }, [2 * dayMinutes, 1, 0]],
    [{ action: 'POST /api/loans/:id/approve', actor: 'alice' }, [2 * dayMinutes, dayMinutes, 0]],
    [{ action: 'LoanViewed' }, []],
    [{ outcome: 'refused', from: '2026-11-22' }, [2 * dayMinutes, dayMinutes]],
    [{ to: '2026-11-21' }, [1, 0]],
    [{ from: '2026-11-22', to: '2026-11-22' }, [dayMinutes]],
    [{ outcome: 'accepted' }, []],
    [{ correlationId: 'trace-of-audit', resource: other }, [dayMinutes]],
  ])('%j', async (filter, found) => {
    expect(await minutes(filter)).toEqual(found)
  })

  test('goes on where a page ended', async () => {
    const first = await list({}, 3)
    const second = await list({}, 3, first.at(-1))
    expect([...first, ...second].map(({ eventId }) => eventId)).toEqual((await list()).map(({ eventId }) => eventId))
    expect(second).toHaveLength(1)
  })
})

// A shape that is recorded here may be deployed somewhere: never edit an entry, add the next version.
test('another shape is another version', () => {
  const recordedShapes: Readonly<Record<number, string>> = {
    1: '{"entries":{"key":"eventId","columns":{"eventId":"text","at":"text","actor":"text","action":"text","resource":"text or null","outcome":"text","code":"text or null","correlationId":"text or null","details":"text or null"},"indexes":[["at","eventId"],["actor","at","eventId"],["action","at","eventId"],["resource","at","eventId"],["outcome","at","eventId"],["correlationId"]]}}',
    2: '{"entries":{"key":"eventId","columns":{"eventId":"text","at":"text","actor":"text","action":"text","resource":"text or null","outcome":"text","code":"text or null","correlationId":"text or null","details":"text or null"},"indexes":[["at","eventId"],["actor","at","eventId"],["action","at","eventId"],["resource","at","eventId"],["outcome","at","eventId"],["correlationId"]]}}',
  }
  expect(recordedShapes[audit.version]).toBe(shapeOf(audit))
})
