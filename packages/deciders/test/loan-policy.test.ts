// The rows of the loans' policy, repeated in full: a row that changes by mistake fails here.
import { describe, expect, test } from 'vitest'
import { loanApi } from '../src/loan/api.ts'
import { loanCapability, loanOfCapability, loanViewOf, ownsLoan, requesterOf } from '../src/loan/loan-policy.ts'
import { type Actor, anonymous, may, type Permission } from '../src/policy.ts'

const alice: Actor = { kind: 'person', sub: 'alice', roles: [], scopes: [] }
const acme: Actor = { kind: 'partner', sub: 'acme', roles: [], scopes: [] }
const actors = {
  anonymous,
  person: alice,
  underwriter: { ...alice, sub: 'uma', roles: ['underwriter'] },
  operator: { ...alice, sub: 'otto', roles: ['operator'] },
  auditor: { ...alice, sub: 'ada', roles: ['auditor'] },
  'partner without scopes': acme,
  'partner that reads': { ...acme, scopes: ['loans:read'] },
  'partner that writes': { ...acme, scopes: ['loans:write'] },
  capability: { kind: 'capability', sub: 'loan:1', roles: [], scopes: ['loan:1'] },
} as const satisfies Record<string, Actor>

type Row = Partial<Record<keyof typeof actors, Permission>>

const underwriters: Row = { underwriter: 'yes' }
const ownersAndStaff: Row = {
  person: 'if owner',
  underwriter: 'yes',
  operator: 'yes',
  auditor: 'if owner',
  'partner that reads': 'if owner',
  capability: 'if owner',
}

const ownersAlone: Row = { ...ownersAndStaff, underwriter: 'if owner', operator: 'if owner' }

const commands: Record<keyof typeof loanApi.commands, Row> = {
  requestLoan: {
    anonymous: 'yes',
    person: 'yes',
    underwriter: 'yes',
    operator: 'yes',
    auditor: 'yes',
    'partner that writes': 'yes',
  },
  approveLoan: underwriters,
  denyLoan: underwriters,
  withdrawLoan: {
    person: 'if owner',
    underwriter: 'if owner',
    operator: 'if owner',
    auditor: 'if owner',
    'partner that writes': 'if owner',
    capability: 'if owner',
  },
}
const queries: Record<keyof typeof loanApi.queries, Row> = {
  loan: ownersAndStaff,
  loans: ownersAndStaff,
  changes: ownersAndStaff,
  history: underwriters,
  queue: underwriters,
  decided: underwriters,
  statistics: underwriters,
  nationalId: underwriters,
  decidedFile: underwriters,
  link: ownersAlone,
}
const topics: Record<keyof typeof loanApi.topics, Row> = { loans: ownersAndStaff, underwriting: underwriters }

describe.each([
  ['command', loanApi.commands, commands],
  ['query', loanApi.queries, queries],
  ['topic', loanApi.topics, topics],
] as const)('%s', (_kind, table, expected) => {
  test.each(Object.entries(table))('%s', (name, { rules }) => {
    const row = (expected as Record<string, Row>)[name]
    const allowed = Object.entries(actors).filter(([, actor]) => may(actor, rules) !== 'no')
    expect(Object.fromEntries(allowed.map(([who, actor]) => [who, may(actor, rules)]))).toEqual(row)
  })
})

test.each([
  ['anonymous', undefined],
  ['person', 'owner'],
  ['underwriter', 'underwriter'],
  ['operator', 'operator'],
  ['auditor', 'owner'],
  ['partner without scopes', undefined],
  ['partner that reads', 'owner'],
  ['partner that writes', undefined],
  ['capability', 'owner'],
] as const)('%s sees loans as %s', (who, view) => {
  expect(loanViewOf(actors[who])?.name).toBe(view)
})

test.each(['person', 'operator', 'capability', 'partner that reads'] as const)('%s sees no personal data', (who) => {
  for (const field of ['name', 'address', 'nationalId', 'requestedById', 'reason', 'decidedBy', 'score'])
    expect(loanViewOf(actors[who])?.fields).not.toContain(field)
})

test('a loan belongs to its requester and its capability', () => {
  const byAlice = { kind: 'person', id: 'alice' } as const
  expect(ownsLoan(alice, '1', byAlice)).toBe(true)
  expect(ownsLoan(alice, '1', { kind: 'person', id: 'bob' })).toBe(false)
  expect(ownsLoan(alice, '1', { kind: 'partner', id: 'alice' })).toBe(false)
  expect(ownsLoan(alice, '1', undefined)).toBe(false)
  expect(ownsLoan(acme, '1', { kind: 'partner', id: 'acme' })).toBe(true)
  expect(ownsLoan(actors.capability, '1', undefined)).toBe(true)
  expect(ownsLoan(actors.capability, '2', { kind: 'anonymous', id: 'loan:1' })).toBe(false)
  expect(ownsLoan(anonymous, '1', { kind: 'anonymous', id: 'anonymous' })).toBe(false)
})

test('the requester of an application is recorded by kind and ID', () => {
  expect([alice, acme, anonymous, actors.capability].map(requesterOf)).toEqual([
    { kind: 'person', id: 'alice' },
    { kind: 'partner', id: 'acme' },
    { kind: 'anonymous', id: 'anonymous' },
    { kind: 'anonymous', id: 'anonymous' },
  ])
})

test('a capability names its loan', () => {
  expect(loanOfCapability({ ...actors.capability, sub: loanCapability('7') })).toBe('7')
  expect(loanOfCapability({ ...alice, sub: loanCapability('7') })).toBeUndefined()
})
