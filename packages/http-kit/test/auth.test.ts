// Who may do what only a role may do.
import { expect, test } from 'vitest'
import { anonymous, developmentActor, requireRole } from '../src/auth.ts'

test.each([
  ['nobody', anonymous, 401],
  ['nobody, when no underwriter is named', developmentActor(undefined), 401],
  ['somebody without the role', { sub: 'ada', roles: [] }, 403],
])('%s is refused', (_who, actor, status) => {
  expect(() => requireRole(actor, 'underwriter')).toThrow(expect.objectContaining({ status }))
})

test('the named underwriter is accepted', () => {
  expect(() => requireRole(developmentActor('uma'), 'underwriter')).not.toThrow()
})
