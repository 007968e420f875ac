// The jobs of a patient's events: a mail for a request, a timer for a consent with an end.
import { expect, test } from 'vitest'
import { type PatientEvent, patientEvents } from '../src/consent/patient-events.ts'
import { react } from '../src/consent/reactions.ts'

const patientId = 'paula'
const dora = { kind: 'doctor', id: 'dora' } as const
const at = '2026-11-21T10:00:00.000Z'
const until = '2026-11-21T11:00:00.000Z'
const granted = (end: string | null, target: 'exams' | 'all' = 'exams'): PatientEvent => ({
  type: 'ConsentGranted',
  data: { patientId, to: dora, target, until: end, grantedAt: at },
})

test('a request is mailed at once', () => {
  const asked: PatientEvent = {
    type: 'ConsentAsked',
    data: { patientId, by: dora, target: 'exams', purpose: 'x', askedAt: at },
  }
  expect(react(asked)).toEqual([{ kind: 'mail consent asked', patientId, by: dora, target: 'exams', delayMs: 0 }])
})

test('a consent with an end sets a timer', () =>
  expect(react(granted(until))).toMatchObject([
    { kind: 'expire consent', patientId, from: dora, target: 'exams', until, dueAt: until },
  ]))

test('a consent without an end sets no timer', () => expect(react(granted(null))).toEqual([]))

test('there is one timer per patient, grantee and target', () => {
  const timerOf = (event: PatientEvent) => react(event).map((job) => ('timer' in job ? job.timer : undefined))[0]
  const timer = timerOf(granted(until))
  expect(timerOf(granted(at))).toBe(timer)
  expect(timerOf(granted(until, 'all'))).not.toBe(timer)
})

test('other events lead to no jobs', () => {
  const others = Object.keys(patientEvents.schemas).filter(
    (type) => type !== 'ConsentAsked' && type !== 'ConsentGranted',
  )
  for (const type of others) expect(react({ type, data: {} } as PatientEvent)).toEqual([])
})
