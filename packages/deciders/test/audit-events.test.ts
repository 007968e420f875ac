// The audit trail holds no personal data of applicants.
import { expect, test } from 'vitest'
import { auditEvents, auditedFilter } from '../src/audit/audit-events.ts'

test('a recorded filter keeps its fields, and of a search text only that there was one', () => {
  expect(auditedFilter({ search: 'Ada Lovelace', score: 5, status: 'denied', from: undefined, outcome: '' })).toEqual({
    search: true,
    score: 5,
    status: 'denied',
  })
  expect(auditedFilter({ search: '', cursor: undefined })).toEqual({})
  expect(auditedFilter({ nested: { name: 'Ada' } })).toEqual({})
})

test('an anonymous actor is not recorded, and a resource must be an ID', () => {
  const refusal = {
    actor: { kind: 'person', sub: 'alice', roles: [] },
    at: '2026-11-21T09:30:00.000Z',
    method: 'POST',
    route: '/api/loans/:id/approve',
    resource: null,
    status: 403,
    code: 'forbidden',
  }
  const accepts = (changes: object) => auditEvents.schemas.RequestRefused.safeParse({ ...refusal, ...changes }).success
  expect(accepts({})).toBe(true)
  expect(accepts({ actor: { kind: 'anonymous', sub: 'anonymous', roles: [] } })).toBe(false)
  expect(accepts({ resource: '555555AA' })).toBe(false)
  expect(accepts({ name: 'Ada Lovelace' })).toBe(false)
})
