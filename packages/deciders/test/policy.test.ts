// The result of each kind of rule for each kind of actor.
import { expect, test } from 'vitest'
import { type Actor, anonymous, anyone, may, owner, partner, people, role, signedIn } from '../src/policy.ts'

const person: Actor = { kind: 'person', sub: 'alice', roles: [], scopes: [] }
const underwriter: Actor = { ...person, roles: ['underwriter'] }
const client: Actor = { kind: 'partner', sub: 'acme', roles: [], scopes: [] }
const writer: Actor = { ...client, scopes: ['loans:write'] }
const capability: Actor = { kind: 'capability', sub: 'loan:1', roles: [], scopes: ['loan:1'] }

test.each([
  // anonymous, person, underwriter, client, client with the scope, capability
  ['anyone', [anyone], 'yes', 'yes', 'yes', 'yes', 'yes', 'yes'],
  ['people', [people], 'yes', 'yes', 'yes', 'no', 'no', 'no'],
  ['signed in', [signedIn], 'no', 'yes', 'yes', 'no', 'no', 'no'],
  ['role', [role('underwriter')], 'no', 'no', 'yes', 'no', 'no', 'no'],
  ['owner', [owner('loans:write')], 'no', 'if owner', 'if owner', 'no', 'if owner', 'if owner'],
  ['partner', [partner('loans:write')], 'no', 'no', 'no', 'no', 'yes', 'no'],
  ['nothing', [], 'no', 'no', 'no', 'no', 'no', 'no'],
  ['either', [owner('loans:write'), role('underwriter')], 'no', 'if owner', 'yes', 'no', 'if owner', 'if owner'],
] as const)('%s', (_name, rules, ...expected) => {
  const actors = [anonymous, person, underwriter, client, writer, capability]
  expect(actors.map((actor) => may(actor, rules))).toEqual(expected)
})

test('only people have roles', () => {
  for (const kind of ['partner', 'capability', 'anonymous'] as const)
    expect(may({ ...underwriter, kind }, [role('underwriter')])).toBe('no')
})
