// Look-ups of consents in the audit trail: counted a partner, question and minute, whole when the gateway stops, bounded in between.
import type { AuditEvent } from '@headwater/deciders/audit/audit-events'
import type { Actor } from '@headwater/deciders/policy'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { countChecks } from '../src/consent/checks-counted.ts'

const minuteMs = 60_000
const start = Date.parse('2026-11-25T12:00:30.000Z')

beforeEach(() => void vi.useFakeTimers({ now: start }))
afterEach(() => void vi.useRealTimers())

const partner = (sub: string): Actor => ({ kind: 'partner', sub, roles: [], scopes: ['consents:check'] })
const [hospital, clinic] = [partner('hospital'), partner('clinic')]
const question = (patientId: string, target: 'exams' | 'all' = 'exams') =>
  ({ patientId, grantee: { kind: 'doctor', id: 'dora' }, target }) as const

type Told = Extract<AuditEvent, { type: 'ConsentsChecked' }>['data']
const counting = () => {
  const told: Told[] = []
  const checks = countChecks({
    note: ({ type, data }) => {
      if (type === 'ConsentsChecked') told.push(data)
    },
  })
  return { ...checks, told }
}

test('the same question is counted, others stand beside it, and partners apart', () => {
  const { count, told } = counting()
  for (const _ of [1, 2, 3]) count(hospital, question('paul'))
  count(hospital, question('paul', 'all'))
  count(clinic, question('paul'))
  expect(told).toEqual([])
  vi.advanceTimersByTime(minuteMs / 2)
  const at = '2026-11-25T12:00:00.000Z'
  expect(told).toEqual([
    {
      actor: { kind: 'partner', sub: 'hospital', roles: [] },
      at,
      checks: [
        { ...question('paul'), count: 3 },
        { ...question('paul', 'all'), count: 1 },
      ],
    },
    { actor: { kind: 'partner', sub: 'clinic', roles: [] }, at, checks: [{ ...question('paul'), count: 1 }] },
  ])
})

test('each minute is told of by itself, and none in which nothing was asked', () => {
  const { count, told } = counting()
  count(hospital, question('paul'))
  vi.advanceTimersByTime(3 * minuteMs)
  count(hospital, question('paul'))
  vi.advanceTimersByTime(minuteMs)
  expect(told.map(({ at }) => at)).toEqual(['2026-11-25T12:00:00.000Z', '2026-11-25T12:03:00.000Z'])
})

test('what has been counted is told when the gateway stops', () => {
  const { count, flush, told } = counting()
  count(hospital, question('paul'))
  flush()
  flush()
  expect(told).toHaveLength(1)
  vi.advanceTimersByTime(minuteMs)
  expect(told).toHaveLength(1)
})

test('so many different questions are held, and so many told of at once', () => {
  const { count, flush, told } = counting()
  for (let n = 0; n < 20_050; n++) count(hospital, question(`patient-${n}`))
  expect(told).toHaveLength(200)
  flush()
  const sizes = told.map(({ checks }) => checks.length)
  expect(sizes).toEqual([...Array.from({ length: 200 }, () => 100), 50])
  expect(new Set(told.flatMap(({ checks }) => checks.map(({ patientId }) => patientId))).size).toBe(20_050)
})
