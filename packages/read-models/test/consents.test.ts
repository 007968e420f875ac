// Read model `consents`: its lists, its one question, and that it answers as the decider and the plain model do.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { patient } from '@headwater/deciders/consent/patient'
import { type Grantee, granteeKey, type PatientEvent, type Target } from '@headwater/deciders/consent/patient-events'
import { granteeStateOf } from '@headwater/deciders/consent/patient-state'
import { permissionCovering } from '@headwater/deciders/consent/permissions'
import { fold, Rejection } from '@headwater/deciders/decider'
import { formatCursor, parseCursor } from '@headwater/projections/model/cursor'
import { shapeOf } from '@headwater/projections/model/read-model'
import type { Checkpoint, Sink } from '@headwater/projections/model/sink'
import { stepOver } from '@headwater/projections/model/step'
import { openSqliteReader, type SqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { at, deletedAt, logger, storeId } from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { chains, createModel } from '../../deciders/test/consent-model.ts'
import {
  type ConsentRow,
  type ConsentsOf,
  compareConsents,
  consentCursorOf,
  consents,
  granteeStateOfRow,
  hasConsent,
  listConsents,
  matchesConsents,
  permissionsAt,
  permissionsBetween,
} from '../src/consent/consents.ts'

const dora: Grantee = { kind: 'doctor', id: 'dora' }
const nils: Grantee = { kind: 'nurse', id: 'nils' }

let directory: string
let sink: Sink
let reader: SqliteReader
let checkpoint: Checkpoint

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'consents-'))
  sink = openSqliteSink({ directory, projection: consents, logger })
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  checkpoint = claimed
  reader = openSqliteReader({ directory, projection: consents, logger })
})
afterEach(async () => {
  reader.close()
  await sink.close()
  rmSync(directory, { recursive: true })
})

/** As one batch. */
const given = async (...events: readonly PatientEvent[]) => {
  const stored = events.map((event, n) => ({
    id: randomUUID(),
    stream: `patient-${event.data.patientId}`,
    revision: BigInt(n),
    position: at(checkpoint.position.commit + BigInt(n) + 1n),
    metadata: {},
    recordedAt: new Date(),
    ...event,
  }))
  const step = stepOver(consents, checkpoint, {
    events: stored,
    position: stored.at(-1)?.position ?? checkpoint.position,
  })
  await sink.commit(step)
  checkpoint = step.to
}

const instant = (second: number) => `2026-11-21T10:00:${String(second).padStart(2, '0')}.000Z`
const granted = (
  patient: string,
  to: Grantee,
  target: Target,
  second: number,
  until: string | null = null,
): PatientEvent => ({
  type: 'ConsentGranted',
  data: { patientId: patient, to, target, until, grantedAt: instant(second) },
})
const asked = (patient: string, by: Grantee, target: Target, second: number): PatientEvent => ({
  type: 'ConsentAsked',
  data: { patientId: patient, by, target, purpose: null, askedAt: instant(second) },
})
const revoked = (patient: string, from: Grantee, target: Target): PatientEvent => ({
  type: 'ConsentRevoked',
  data: { patientId: patient, from, target, revokedAt: instant(59) },
})
const list = (of: ConsentsOf, limit = 100): readonly ConsentRow[] => reader.rows(listConsents(of, { limit })).value
const has = (patient: string, grantee: Grantee, target: Target, at: string) =>
  hasConsent(reader.rows(permissionsBetween(patient, grantee)).value, target, at)

test('version 2 has this shape', () => {
  expect(consents.version).toBe(2)
  expect(shapeOf(consents)).toMatchInlineSnapshot(
    `"{"consents":{"key":"consentId","columns":{"consentId":"text","patientId":"text","granteeKind":"text","granteeId":"text","permissions":"text","requests":"text","grantedAt":"text or null","askedAt":"text or null","hasAsked":"integer"},"indexes":[["patientId","grantedAt","consentId"],["patientId","askedAt","consentId"],["granteeId","grantedAt","consentId"]]}}"`,
  )
})

test('a deleted patient leaves no consent behind, also none of the same batch; those of others stay', async () => {
  await given(granted('paula', dora, 'exams', 1), granted('peter', dora, 'exams', 2))
  const position = at(checkpoint.position.commit + 2n)
  const last: PatientEvent = granted('paula', nils, 'all', 3)
  const place = { stream: 'patient-paula', revision: 1n, metadata: {}, recordedAt: new Date() }
  const events = [
    { id: randomUUID(), position: at(position.commit - 1n), ...place, ...last },
    deletedAt(position.commit, 'patient-paula'),
  ]
  await sink.commit(stepOver(consents, checkpoint, { events, position }))
  expect(list({ list: 'consents', patientId: 'paula' })).toEqual([])
  expect(list({ list: 'granted', granteeId: dora.id, kinds: [dora.kind] })).toMatchObject([{ patientId: 'peter' }])
  expect(has('paula', nils, 'all', instant(4))).toBe(false)
})

test("a patient's consents, newest first, with what each grantee may see and until when", async () => {
  await given(
    granted('paula', dora, 'exams', 1),
    granted('paula', nils, 'all', 2, instant(30)),
    granted('paula', dora, 'conditions', 3, instant(20)),
    granted('peter', dora, 'all', 4),
    asked('paula', { kind: 'doctor', id: 'dirk' }, 'exams', 5),
  )
  const rows = list({ list: 'consents', patientId: 'paula' })
  expect(rows.map(({ granteeId }) => granteeId)).toEqual(['dora', 'nils'])
  const [first] = rows
  expect(first && permissionsAt(first, instant(10))).toEqual([
    { target: 'conditions', grantedAt: instant(3), until: instant(20) },
    { target: 'exams', grantedAt: instant(1), until: null },
  ])
  expect(first && permissionsAt(first, instant(20))).toEqual([{ target: 'exams', grantedAt: instant(1), until: null }])
})

test('all spellings of an ID share one row: revoked under one, nothing is listed or answered', async () => {
  const plain: Grantee = { kind: 'doctor', id: randomUUID() }
  const shouted: Grantee = { kind: 'doctor', id: ` ${plain.id.toUpperCase()}` }
  const answers = () => [plain, shouted].map((grantee) => has('paula', grantee, 'exams', instant(3)))
  await given(granted('paula', shouted, 'exams', 1), granted('paula', plain, 'exams', 2))
  expect(list({ list: 'consents', patientId: 'paula' })).toMatchObject([{ granteeId: plain.id, hasAsked: 0 }])
  expect(list({ list: 'granted', granteeId: plain.id, kinds: ['doctor'] })).toHaveLength(1)
  expect(answers()).toEqual([true, true])
  await given(revoked('paula', plain, 'exams'))
  expect(answers()).toEqual([false, false])
  expect(list({ list: 'consents', patientId: 'paula' })).toEqual([])
})

test('whether the grantee has ever asked, also after the request was answered', async () => {
  await given(asked('paula', dora, 'exams', 1), granted('paula', dora, 'exams', 2), granted('paula', nils, 'all', 3))
  const rows = list({ list: 'consents', patientId: 'paula' })
  expect(rows.map(({ granteeId, hasAsked }) => [granteeId, hasAsked])).toEqual([
    ['nils', 0],
    ['dora', 1],
  ])
})

test("a grantee's consents, in the roles they have", async () => {
  await given(
    granted('paula', dora, 'exams', 1),
    granted('peter', dora, 'exams', 2),
    granted('pia', { kind: 'nurse', id: 'dora' }, 'exams', 3),
    granted('paula', nils, 'exams', 4),
  )
  const patientsOf = (kinds: readonly Grantee['kind'][]) =>
    list({ list: 'granted', granteeId: 'dora', kinds }).map(({ patientId }) => patientId)
  expect(patientsOf(['doctor'])).toEqual(['peter', 'paula'])
  expect(patientsOf(['doctor', 'nurse'])).toEqual(['pia', 'peter', 'paula'])
  expect(patientsOf(['patient'])).toEqual([])
  await given(revoked('peter', dora, 'exams'))
  expect(patientsOf(['doctor'])).toEqual(['paula'])
})

test('open requests of a patient', async () => {
  await given(asked('paula', dora, 'exams', 1), asked('paula', nils, 'all', 2), asked('peter', dora, 'exams', 3))
  const requests = () =>
    list({ list: 'requests', patientId: 'paula' }).flatMap((row) =>
      granteeStateOfRow(row).requests.map(({ target }) => `${row.granteeId} ${target}`),
    )
  expect(requests()).toEqual(['nils all', 'dora exams'])
  await given(granted('paula', dora, 'exams', 4))
  expect(requests()).toEqual(['nils all'])
  await given({
    type: 'ConsentDeclined',
    data: { patientId: 'paula', by: nils, target: 'all', declinedAt: instant(5) },
  })
  expect(requests()).toEqual([])
})

test('has consent: to the millisecond of its end, by its own target or `all`', async () => {
  await given(granted('paula', dora, 'exams', 1, instant(30)), granted('paula', nils, 'all', 2))
  expect(has('paula', dora, 'exams', '2026-11-21T10:00:29.999Z')).toBe(true)
  expect(has('paula', dora, 'exams', instant(30))).toBe(false)
  expect(has('paula', dora, 'all', instant(10))).toBe(false)
  expect(has('paula', nils, 'er_visits', instant(10))).toBe(true)
  expect(has('peter', dora, 'exams', instant(10))).toBe(false)
  expect(has('paula', { kind: 'nurse', id: 'dora' }, 'exams', instant(10))).toBe(false)
})

test('a page begins where the one before ended, in the order of the live query', async () => {
  const of: ConsentsOf = { list: 'consents', patientId: 'paula' }
  const doctors = Array.from({ length: 7 }, (_, n): Grantee => ({ kind: 'doctor', id: `d ${n}` }))
  await given(...doctors.map((doctor, n) => granted('paula', doctor, 'all', n % 3)), granted('peter', dora, 'all', 1))
  const all = list(of)
  expect(all).toHaveLength(7)
  expect([...all].toReversed().toSorted(compareConsents(of))).toEqual(all)
  const seen: ConsentRow[] = []
  for (;;) {
    const last = seen.at(-1)
    const after = last && parseCursor(formatCursor(consentCursorOf(of, last)))
    const page = reader.rows(listConsents(of, { after, limit: 3 })).value
    if (page.length === 0) break
    seen.push(...page)
  }
  expect(seen).toEqual(all)
})

test('the live query has the rows of the list', async () => {
  await given(
    granted('paula', dora, 'exams', 1),
    asked('paula', nils, 'exams', 2),
    granted('peter', dora, 'all', 3),
    granted('pia', { kind: 'nurse', id: 'dora' }, 'all', 3),
  )
  const everything = ['paula', 'peter', 'pia'].flatMap((patientId) => [
    ...list({ list: 'consents', patientId }),
    ...list({ list: 'requests', patientId }),
  ])
  for (const of of [
    { list: 'consents', patientId: 'paula' },
    { list: 'requests', patientId: 'paula' },
    { list: 'granted', granteeId: 'dora', kinds: ['doctor'] },
  ] as const)
    expect(everything.filter(matchesConsents(of)).toSorted(compareConsents(of))).toEqual(list(of))
})

test('as the decider and the plain model, whatever the commands and the batches', async () => {
  await fc.assert(
    fc.asyncProperty(chains, fc.integer({ min: 1, max: 7 }), async (chain, batchSize) => {
      // Each run has a patient of its own, so that all share one file; also a run that is tried again, made smaller.
      const patientOfRun = randomUUID()
      const model = createModel()
      let state = patient.initialState
      let batch: PatientEvent[] = []
      const flush = async () => {
        await given(
          ...batch.map((event) => ({ ...event, data: { ...event.data, patientId: patientOfRun } }) as PatientEvent),
        )
        batch = []
      }
      for (const step of chain) {
        const { command } = model.next(step)
        try {
          const events = patient.decide(command, state)
          state = fold(patient, state, events)
          batch.push(...events)
        } catch (error) {
          if (!(error instanceof Rejection)) throw error
        }
        if (batch.length < batchSize) continue
        await flush()
      }
      await flush()
      for (const { grantee, target, at, has: expected } of model.answers()) {
        const decided = permissionCovering(granteeStateOf(state, grantee).permissions, target, at) !== undefined
        expect([grantee, target, at, has(patientOfRun, grantee, target, at), decided]).toEqual([
          grantee,
          target,
          at,
          expected,
          expected,
        ])
      }
      const requests = list({ list: 'requests', patientId: patientOfRun }).flatMap((row) =>
        granteeStateOfRow(row).requests.map(({ target }) => `${row.granteeKind}:${row.granteeId} ${target}`),
      )
      expect(requests.sort()).toEqual(model.asked())
      const sighted = new Set(
        model
          .answers()
          .flatMap(({ grantee, has, at }) => (has && at === model.answers()[0]?.at ? [granteeKey(grantee)] : [])),
      )
      const now = model.answers()[0]?.at ?? ''
      const listed = list({ list: 'consents', patientId: patientOfRun })
        .filter((row) => permissionsAt(row, now).length > 0)
        .map((row) => `${row.granteeKind}:${row.granteeId}`)
      expect(new Set(listed)).toEqual(sighted)
    }),
    { numRuns: 60 },
  )
})
