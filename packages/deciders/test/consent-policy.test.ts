// The rows of the consents' policy, repeated in full: a row that changes by mistake fails here.
import { describe, expect, test } from 'vitest'
import { consentApi } from '../src/consent/api.ts'
import { granteeKindsOf } from '../src/consent/consent-policy.ts'
import { type Actor, anonymous, may } from '../src/policy.ts'

const person: Actor = { kind: 'person', sub: 'paula', roles: [], scopes: [] }
const hospital: Actor = { kind: 'partner', sub: 'hospital', roles: [], scopes: [] }
const actors = {
  anonymous,
  person,
  patient: { ...person, roles: ['patient'] },
  doctor: { ...person, sub: 'dora', roles: ['doctor'] },
  nurse: { ...person, sub: 'nils', roles: ['nurse'] },
  underwriter: { ...person, sub: 'uma', roles: ['underwriter'] },
  operator: { ...person, sub: 'otto', roles: ['operator'] },
  'partner without scopes': hospital,
  'partner with other scopes': { ...hospital, scopes: ['loans:read', 'loans:write'] },
  'partner that checks': { ...hospital, scopes: ['consents:check'] },
  'partner that claims a role': { ...hospital, roles: ['doctor'] },
  capability: { kind: 'capability', sub: 'loan:1', roles: [], scopes: ['loan:1'] },
} as const satisfies Record<string, Actor>

type Who = readonly (keyof typeof actors)[]
const people: Who = ['person', 'patient', 'doctor', 'nurse', 'underwriter', 'operator']
const grantees: Who = ['patient', 'doctor', 'nurse']

const commands: Record<keyof typeof consentApi.commands, Who> = {
  ask: grantees,
  grant: people,
  revoke: people,
  decline: people,
  contact: people,
}
const queries: Record<keyof typeof consentApi.queries, Who> = {
  consents: people,
  requests: people,
  history: people,
  granted: grantees,
  check: ['partner that checks'],
}
const topics: Record<keyof typeof consentApi.topics, Who> = {
  consents: people,
  'consent-requests': people,
  'granted-consents': grantees,
}

describe.each([
  ['command', consentApi.commands, commands],
  ['query', consentApi.queries, queries],
  ['topic', consentApi.topics, topics],
] as const)('%s', (_kind, table, expected) => {
  test.each(Object.entries(table))('%s', (name, { rules }) => {
    const allowed = Object.entries(actors).flatMap(([who, actor]) => (may(actor, rules) === 'yes' ? [who] : []))
    expect(allowed).toEqual((expected as Record<string, Who>)[name])
    expect(Object.values(actors).map((actor) => may(actor, rules))).not.toContain('if owner')
  })
})

test('a history accepts events with fields and texts that this release would not write', () => {
  const asked = { target: 'exams', purpose: null, by: { kind: 'doctor', id: 'dora', ward: 3 }, urgent: true }
  const granted = { target: 'all', until: '+010000-01-01T00:00:00.000Z' }
  const recordedAt = '2026-12-01T10:00:00.000Z'
  const history = {
    grantee: { kind: 'doctor', id: 'dora' },
    events: [
      { type: 'ConsentAsked', recordedAt, data: asked },
      { type: 'ConsentGranted', recordedAt, data: granted },
    ],
    complete: true,
  }
  expect(consentApi.queries.history.answer.parse(history)).toEqual(history)
})

test('roles determine the kinds of grantee of a person', () => {
  expect(granteeKindsOf({ ...person, roles: ['nurse', 'underwriter', 'patient'] })).toEqual(['patient', 'nurse'])
  expect(granteeKindsOf(person)).toEqual([])
  expect(granteeKindsOf(actors['partner that claims a role'])).toEqual([])
})
