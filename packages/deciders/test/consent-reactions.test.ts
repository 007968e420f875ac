// What follows from each event of a patient: a mail when somebody asks, a timer when a consent has an end.
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

test('asking is told by mail at once', () => {
  const asked: PatientEvent = {
    type: 'ConsentAsked',
    data: { patientId, by: dora, target: 'exams', purpose: 'x', askedAt: at },
  }
  expect(react(asked)).toEqual([{ kind: 'mail consent asked', patientId, by: dora, target: 'exams', delayMs: 0 }])
})

test('an end sets a timer', () =>
  expect(react(granted(until))).toMatchObject([
    { kind: 'expire consent', patientId, from: dora, target: 'exams', until, dueAt: until },
  ]))

test('without an end there is no timer', () => expect(react(granted(null))).toEqual([]))

test('one timer a patient, grantee and target', () => {
  const timerOf = (event: PatientEvent) => react(event).map((job) => ('timer' in job ? job.timer : undefined))[0]
  const timer = timerOf(granted(until))
  expect(timerOf(granted(at))).toBe(timer)
  expect(timerOf(granted(until, 'all'))).not.toBe(timer)
})

test('nothing follows from the others', () => {
  const others = Object.keys(patientEvents.schemas).filter(
    (type) => type !== 'ConsentAsked' && type !== 'ConsentGranted',
  )
  for (const type of others) expect(react({ type, data: {} } as PatientEvent)).toEqual([])
})
