// The rules of a patient's consents: every command accepted, refused, repeated, and at the edges of time and of `all`.
import { describe, expect, test } from 'vitest'
import {
  askConsentInput,
  declineConsentInput,
  grantConsentInput,
  type PatientCommand,
  patient,
  registerContactInput,
  revokeConsentInput,
} from '../src/consent/patient.ts'
import { type Grantee, type PatientEvent, patientEvents, type Target } from '../src/consent/patient-events.ts'
import { granteeStateOf } from '../src/consent/patient-state.ts'
import { fold } from '../src/decider.ts'
import { specification } from './given.ts'

const given = specification(patient)
const patientId = 'paula'
const dora: Grantee = { kind: 'doctor', id: 'dora' }
const doraAsNurse: Grantee = { kind: 'nurse', id: 'dora' }
const herself: Grantee = { kind: 'doctor', id: 'paula' }
const earlier = '2026-11-21T09:00:00.000Z'
const at = '2026-11-21T10:00:00.000Z'
const justBefore = '2026-11-21T10:59:59.999Z'
const until = '2026-11-21T11:00:00.000Z'
const later = '2026-11-21T12:00:00.000Z'

const ask = (target: Target, by = dora, purpose?: string, now = at): PatientCommand => ({
  type: 'AskConsent',
  data: { patientId, by, target, at: now, ...(purpose === undefined ? {} : { purpose }) },
})
const grant = (target: Target, end?: string, to = dora, now = at): PatientCommand => ({
  type: 'GrantConsent',
  data: { patientId, to, target, at: now, kinds: [to.kind], ...(end === undefined ? {} : { until: end }) },
})
const revoke = (target: Target, from = dora, now = at): PatientCommand => ({
  type: 'RevokeConsent',
  data: { patientId, from, target, at: now },
})
const decline = (target: Target, by = dora): PatientCommand => ({
  type: 'DeclineConsent',
  data: { patientId, by, target, at },
})
const expire = (target: Target, end: string, now: string): PatientCommand => ({
  type: 'ExpireConsent',
  data: { patientId, from: dora, target, until: end, at: now },
})
const register = (email: string): PatientCommand => ({ type: 'RegisterContact', data: { patientId, email, at } })

const asked = (target: Target, purpose: string | null = null): PatientEvent => ({
  type: 'ConsentAsked',
  data: { patientId, by: dora, target, purpose, askedAt: at },
})
const granted = (target: Target, end: string | null = null, to = dora, now = at): PatientEvent => ({
  type: 'ConsentGranted',
  data: { patientId, to, target, until: end, grantedAt: now },
})
const revoked = (target: Target, now = at): PatientEvent => ({
  type: 'ConsentRevoked',
  data: { patientId, from: dora, target, revokedAt: now },
})
const declined = (target: Target): PatientEvent => ({
  type: 'ConsentDeclined',
  data: { patientId, by: dora, target, declinedAt: at },
})
const expired = (target: Target, end: string, now: string): PatientEvent => ({
  type: 'ConsentExpired',
  data: { patientId, from: dora, target, until: end, expiredAt: now },
})
const registered = (email: string): PatientEvent => ({
  type: 'ContactRegistered',
  data: { patientId, email, registeredAt: at },
})

describe('AskConsent', () => {
  test('is accepted with its purpose', () =>
    given()
      .when(ask('exams', dora, 'the operation'))
      .then(asked('exams', 'the operation')))
  test('is accepted without a purpose', () => given().when(ask('all')).then(asked('all')))
  test('does nothing when it is repeated', () =>
    given(asked('exams', 'once'))
      .when(ask('exams', dora, 'twice'))
      .then())
  test('is accepted for another part as another request', () =>
    given(asked('exams')).when(ask('conditions')).then(asked('conditions')))
  test('is accepted as a new request after it was declined', () =>
    given(asked('exams'), declined('exams')).when(ask('exams')).then(asked('exams')))
  test('is accepted as a new request after a grant was revoked', () =>
    given(asked('exams'), granted('exams'), revoked('exams')).when(ask('exams')).then(asked('exams')))
  test('is refused for oneself in any role', () => given().when(ask('exams', herself)).refused('asking_oneself'))
  test('is refused when it is granted', () =>
    given(granted('exams')).when(ask('exams')).refused('consent_already_granted', { granted: 'exams', until: null }))
  test.each(['exams', 'all'] as const)('is refused for %s while `all` is granted', (target) =>
    given(granted('all', until)).when(ask(target)).refused('consent_already_granted', { granted: 'all', until }),
  )
  test('is accepted for `all` while parts are granted', () =>
    given(granted('exams')).when(ask('all')).then(asked('all')))
  test('is accepted from the moment the permission ends', () => {
    given(granted('exams', until))
      .when(ask('exams', dora, undefined, justBefore))
      .refused('consent_already_granted')
    given(granted('exams', until))
      .when(ask('exams', dora, undefined, until))
      .thenTypes('ConsentAsked')
  })
  test('is accepted when only another role of the person has the permission', () =>
    given(granted('exams', null, doraAsNurse))
      .when(ask('exams'))
      .then(asked('exams')))
})

describe('GrantConsent', () => {
  test('is accepted without being asked', () => given().when(grant('exams')).then(granted('exams')))
  test('is accepted with an end', () => given().when(grant('exams', until)).then(granted('exams', until)))
  test('is accepted with a request, which it closes', () =>
    given(asked('exams'), granted('exams')).when(decline('exams')).refused('consent_not_asked'))
  test('closes no request for `all` when it grants a part', () =>
    given(asked('all'), granted('exams')).when(decline('all')).then(declined('all')))
  test('closes every request when it grants `all`', () => {
    for (const target of ['exams', 'all'] as const)
      given(asked('exams'), asked('all'), granted('all', until)).when(decline(target)).refused('consent_not_asked')
  })
  test('is refused for oneself', () =>
    given()
      .when(grant('exams', undefined, herself))
      .refused('granting_oneself'))
  test.each([at, earlier])('is refused when the end (%s) is not in the future', (end) =>
    given()
      .when(grant('exams', end))
      .refused('until_not_in_future', { errors: [{ field: 'until', message: 'in the future' }] }),
  )
  test.each([
    ['the directory does not know', []],
    ['belongs to a nurse', ['nurse', 'patient']],
  ] as const)('is refused for a doctor whose ID %s', (_, kinds) => {
    const command = grant('exams')
    if (command.type === 'GrantConsent')
      given()
        .when({ ...command, data: { ...command.data, kinds } })
        .refused('no_such_grantee', { errors: [{ field: 'to.id', message: 'the ID of a doctor' }] })
  })
  test('can be revoked and declined for a grantee without the role', () => {
    given(granted('exams')).when(revoke('exams')).then(revoked('exams'))
    given(asked('exams')).when(decline('exams')).then(declined('exams'))
  })
  test.each([
    ['without end', null, undefined],
    ['with the same end', until, until],
  ] as const)('is refused when it is repeated %s', (_, stands, end) =>
    given(granted('exams', stands)).when(grant('exams', end)).refused('consent_already_granted', { granted: 'exams' }),
  )
  test.each([
    ['a later end', until, later],
    ['an earlier end', later, until],
    ['no end', until, undefined],
    ['an end at last', null, until],
  ] as const)('%s replaces the existing permission', (_, stands, end) => {
    for (const target of ['exams', 'all'] as const)
      given(granted(target, stands))
        .when(grant(target, end))
        .then(granted(target, end ?? null))
  })
  test.each([null, until])('is refused for a part while `all` until %s is granted', (end) =>
    given(granted('all', end)).when(grant('exams')).refused('consent_already_granted', { granted: 'all', until: end }),
  )
  test('is accepted for a part from the moment `all` ends', () =>
    given(granted('all', until))
      .when(grant('exams', undefined, dora, until))
      .then(granted('exams', null, dora, until)))
  test('is accepted again from the moment the permission ends', () =>
    given(granted('exams', until))
      .when(grant('exams', later, dora, until))
      .then(granted('exams', later, dora, until)))
  test('replaces permissions for parts when it grants `all` without end', () => {
    const events = [granted('exams'), granted('all')]
    given(...events)
      .when(revoke('exams'))
      .refused('consent_not_granted', { granted: 'all' })
    given(...events, revoked('all'))
      .when(revoke('exams'))
      .refused('consent_not_granted')
  })
})

describe('RevokeConsent', () => {
  test('is accepted', () => given(granted('exams')).when(revoke('exams')).then(revoked('exams')))
  test('is refused when it is repeated', () =>
    given(granted('exams'), revoked('exams')).when(revoke('exams')).refused('consent_not_granted'))
  test('is refused when nothing is granted', () => given().when(revoke('exams')).refused('consent_not_granted'))
  test('is refused for `all` when only parts are granted', () =>
    given(granted('exams')).when(revoke('all')).refused('consent_not_granted'))
  test('is refused for a part while `all` is granted, which the error says', () => {
    const refusal = () => patient.decide(revoke('exams'), fold(patient, patient.initialState, [granted('all')]))
    expect(refusal).toThrow(/`all`/)
    given(granted('exams'), granted('all', until))
      .when(revoke('exams'))
      .refused('consent_not_granted', { granted: 'all' })
  })
  test('removes permissions for parts, too, when it revokes a temporary `all`', () =>
    given(granted('exams'), granted('all', until), revoked('all')).when(revoke('exams')).refused('consent_not_granted'))
  test('is refused from the moment the permission ends', () => {
    given(granted('exams', until))
      .when(revoke('exams', dora, justBefore))
      .then(revoked('exams', justBefore))
    given(granted('exams', until))
      .when(revoke('exams', dora, until))
      .refused('consent_not_granted')
  })
  test('leaves open requests open', () =>
    given(granted('exams'), asked('conditions'), revoked('exams'))
      .when(decline('conditions'))
      .then(declined('conditions')))
})

describe('DeclineConsent', () => {
  test('is accepted', () => given(asked('exams')).when(decline('exams')).then(declined('exams')))
  test('is refused when it is repeated', () =>
    given(asked('exams'), declined('exams')).when(decline('exams')).refused('consent_not_asked'))
  test.each(['conditions', 'all'] as const)('is refused for %s when only exams were requested', (target) =>
    given(asked('exams')).when(decline(target)).refused('consent_not_asked'),
  )
  test('is refused for a person without a request', () =>
    given(asked('exams')).when(decline('exams', doraAsNurse)).refused('consent_not_asked'))
})

describe('ExpireConsent', () => {
  test('is accepted when due', () =>
    given(granted('exams', until))
      .when(expire('exams', until, until))
      .then(expired('exams', until, until)))
  test('is accepted when late', () =>
    given(granted('exams', until))
      .when(expire('exams', until, later))
      .then(expired('exams', until, later)))
  test('is refused when early', () =>
    given(granted('exams', until))
      .when(expire('exams', until, justBefore))
      .refused('consent_not_due'))
  test('does nothing when it is repeated', () =>
    given(granted('exams', until), expired('exams', until, until))
      .when(expire('exams', until, later))
      .then())
  test.each([
    ['revoked', [granted('exams', until), revoked('exams')]],
    ['replaced by another end', [granted('exams', until), granted('exams', later)]],
    ['replaced by no end', [granted('exams', until), granted('exams')]],
    ['taken in by `all`', [granted('exams', until), granted('all')]],
    ['of another part', [granted('conditions', until)]],
    ['never granted', []],
  ] as const)('does nothing when it is %s', (_, events) =>
    given(...events)
      .when(expire('exams', until, later))
      .then(),
  )
  test('keeps permissions for parts when a temporary `all` expires', () =>
    given(granted('exams'), granted('all', until), expired('all', until, until))
      .when(revoke('exams', dora, later))
      .then(revoked('exams', later)))
  test('ends a permission for a part during a temporary `all`', () =>
    given(granted('exams', until), granted('all', later))
      .when(expire('exams', until, until))
      .then(expired('exams', until, until)))
})

describe('RegisterContact', () => {
  test('is accepted', () => given().when(register('paula@example.org')).then(registered('paula@example.org')))
  test('does nothing when it is repeated', () =>
    given(registered('paula@example.org')).when(register('paula@example.org')).then())
  test('replaces an earlier address', () =>
    given(registered('paula@example.org')).when(register('p@example.org')).then(registered('p@example.org')))
})

describe('one person under several spellings of an ID, as in events older than normalized IDs', () => {
  const id = '5b0e2c0e-6a3c-4a5e-9d55-0d6f4c1f2a10'
  const plain: Grantee = { kind: 'doctor', id }
  const shouted: Grantee = { kind: 'doctor', id: ` ${id.toUpperCase()} ` }
  const revokedFrom = (from: Grantee, target: Target): PatientEvent => ({
    type: 'ConsentRevoked',
    data: { patientId, from, target, revokedAt: at },
  })
  const expiredOf = (from: Grantee): PatientEvent => ({
    type: 'ConsentExpired',
    data: { patientId, from, target: 'exams', until, expiredAt: until },
  })
  const permissionsAfter = (...events: readonly PatientEvent[]) =>
    granteeStateOf(fold(patient, patient.initialState, events), plain).permissions.map(({ target }) => target)

  test.each([
    ['plain', plain],
    ['in capitals', shouted],
  ])('is left without permission when two grants are revoked once, %s', (_, from) =>
    expect(
      permissionsAfter(granted('exams', null, plain), granted('exams', null, shouted), revokedFrom(from, 'exams')),
    ).toEqual([]),
  )
  test('does not see a part revoked under one spelling through an `all` granted under the other', () =>
    expect(
      permissionsAfter(granted('exams', null, plain), granted('all', until, shouted), revokedFrom(plain, 'exams')),
    ).toEqual([]))
  test('is refused a second grant under the other spelling, which can be revoked', () => {
    given(granted('exams', null, shouted))
      .when(grant('exams', undefined, plain))
      .refused('consent_already_granted')
    given(granted('exams', null, shouted))
      .when(revoke('exams', plain))
      .then(revokedFrom(plain, 'exams'))
  })
  test('keeps a grant under one spelling when one under the other expires', () =>
    expect(
      permissionsAfter(granted('exams', until, shouted), granted('exams', null, plain), expiredOf(shouted)),
    ).toEqual(['exams']))
  test('loses the grant when a timer set under one spelling fires', () =>
    given(granted('exams', until, shouted))
      .when({ type: 'ExpireConsent', data: { patientId, from: plain, target: 'exams', until, at: until } })
      .then(expiredOf(plain)))
  test('is recognized as oneself under any spelling', () => {
    const own = { patientId: id, target: 'exams', at } as const
    given()
      .when({ type: 'AskConsent', data: { ...own, by: shouted } })
      .refused('asking_oneself')
    given()
      .when({ type: 'GrantConsent', data: { ...own, to: shouted, kinds: ['doctor'] } })
      .refused('granting_oneself')
  })
})

test('a patient’s stream never ends', () => expect(patient.isTerminal(patient.initialState)).toBe(false))

describe('inputs', () => {
  test('accept an end only as an instant with its time zone', () => {
    const accepts = (until: string) => grantConsentInput.safeParse({ to: dora, target: 'exams', until }).success
    for (const text of ['2026-12-24T18:00:00Z', '2026-12-24T19:00:00.5+01:00'])
      expect([text, accepts(text)]).toEqual([text, true])
    for (const text of ['2026-12-24', '2026-12-24T18:00:00', '2026-02-30T18:00:00Z', 'tomorrow', ''])
      expect([text, accepts(text)]).toEqual([text, false])
  })
  test('accept a purpose up to its maximum length', () => {
    const input = { patientId, target: 'exams' }
    expect(askConsentInput.safeParse({ ...input, purpose: 'x'.repeat(300) }).success).toBe(true)
    expect(askConsentInput.safeParse({ ...input, purpose: 'x'.repeat(301) }).success).toBe(false)
  })
  test('accept neither an actor nor a time', () => {
    for (const [input, body] of [
      [askConsentInput, { patientId, target: 'all', by: dora }],
      [grantConsentInput, { to: dora, target: 'all', patientId }],
      [revokeConsentInput, { from: dora, target: 'all', at }],
      [declineConsentInput, { by: dora, target: 'all', patientId }],
      [registerContactInput, { email: 'paula@example.org', patientId }],
    ] as const)
      expect(input.safeParse(body).success).toBe(false)
  })
})

test('every decided event matches its schema', () => {
  const events = [
    asked('exams', 'why'),
    granted('all', until),
    revoked('all'),
    declined('exams'),
    expired('all', until, later),
    registered('paula@example.org'),
  ]
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(Object.keys(patientEvents.schemas)))
  for (const { type, data } of events) expect(patientEvents.schemas[type].safeParse(data).error).toBeUndefined()
})
