// Who may do what only a role may do.

import { anonymous } from '@headwater/deciders/policy'
import { expect, test } from 'vitest'
import { developmentActor, requireRole } from '../src/development-actor.ts'

test.each([
  ['nobody', anonymous, 401],
  ['nobody, when no underwriter is named', developmentActor(undefined), 401],
  ['somebody without the role', { kind: 'person', sub: 'ada', roles: [], scopes: [] } as const, 403],
])('%s is refused', (_who, actor, status) => {
  expect(() => requireRole(actor, 'underwriter')).toThrow(expect.objectContaining({ status }))
})

test('the named underwriter is accepted', () => {
  expect(() => requireRole(developmentActor('uma'), 'underwriter')).not.toThrow()
})
