// The access rules, case by case, as services ask for them.
import { describe, expect, test } from 'vitest'
import { type Acls, type Action, may } from '../src/security/access.ts'

const noLists: Acls = { of: () => undefined, defaults: () => ({ userStreams: {}, systemStreams: {} }) }
const users = {
  nobody: undefined,
  bob: { name: 'bob', groups: [] },
  ops: { name: 'ops', groups: ['$ops'] },
  admin: { name: 'admin', groups: ['$admins'] },
}
const allowed = (action: Action, stream = 'some-stream', acls = noLists): string[] =>
  Object.entries(users)
    .filter(([, user]) => may(user, action, stream, acls))
    .map(([name]) => name)

const everyUser = ['bob', 'ops', 'admin']
const operators = ['ops', 'admin']

describe('without lists', () => {
  const cases: [Action, string, string[]][] = [
    ['read', 'a-1', everyUser],
    ['write', 'a-1', everyUser],
    ['delete', 'a-1', everyUser],
    ['read', '$$a-1', everyUser],
    ['write', '$$a-1', everyUser],
    ['delete', '$$a-1', []],
    ['read', '$a', ['admin']],
    ['write', '$$$a', ['admin']],
    ['read', '$all', ['admin']],
    ['write', '$all', []],
    ['delete', '$all', []],
    ['write', '$$$all', ['admin']],
    ['connect to persistent subscriptions', 'a-1', everyUser],
    ['connect to persistent subscriptions', '$all', ['admin']],
    ['manage persistent subscriptions', 'a-1', operators],
    ['describe persistent subscriptions', 'a-1', everyUser],
    ['use projections', '', everyUser],
    ['manage projections', '', operators],
    ['shut down', '', operators],
  ]
  test.each(cases)('%s %s: %j', (action, stream, expected) => {
    expect(allowed(action, stream)).toEqual(expected)
  })
})

test('a list replaces only the defaults that it names, and $admins are always allowed', () => {
  const acls: Acls = {
    of: (name) => (name === 'a-1' ? { read: ['bob'], write: [] } : undefined),
    defaults: () => ({ userStreams: { delete: ['$ops'] }, systemStreams: { read: ['$all'] } }),
  }
  expect(allowed('read', 'a-1', acls)).toEqual(['bob', 'admin'])
  expect(allowed('write', 'a-1', acls)).toEqual(['admin'])
  expect(allowed('delete', 'a-1', acls)).toEqual(operators)
  expect(allowed('read', '$$a-1', acls)).toEqual(everyUser)
  expect(allowed('read', '$all', acls)).toEqual(everyUser)
  expect(allowed('connect to persistent subscriptions', 'a-1', acls)).toEqual(['bob', 'admin'])
})
