// The user's rules: every command accepted, refused and repeated, and properties of any sequence of commands.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fold, Rejection } from '../src/decider.ts'
import {
  changeEmailInput,
  changePasswordInput,
  registerUserInput,
  type UserCommand,
  user,
} from '../src/identity/user.ts'
import { type UserEvent, userEvents } from '../src/identity/user-events.ts'
import { specification } from './given.ts'

const given = specification(user)
const userId = 'b52f5e34-2f6e-4f61-9d0e-0f7f3d3f4a11'
const at = '2026-11-21T10:00:00.000Z'
const person = { userName: 'zoe', name: 'Zoë Quinn', email: 'zoe@example.org' }

const registerUser: UserCommand = { type: 'RegisterUser', data: { userId, ...person, roles: [], at } }
const changeEmail = (email = 'new@example.org'): UserCommand => ({ type: 'ChangeEmail', data: { userId, email, at } })
const changePassword: UserCommand = { type: 'ChangePassword', data: { userId, at } }
const disableUser = (disabledBy = 'otto'): UserCommand => ({ type: 'DisableUser', data: { userId, disabledBy, at } })
const abandon = (identifier: { userName: string } | { email: string }): UserCommand => ({
  type: 'AbandonIdentifier',
  data: { userId, identifier, at },
})

const registered: UserEvent = { type: 'UserRegistered', data: { userId, ...person, roles: [], registeredAt: at } }
const emailChanged = (email = 'new@example.org'): UserEvent => ({
  type: 'EmailChanged',
  data: { userId, email, changedAt: at },
})
const passwordChanged: UserEvent = { type: 'PasswordChanged', data: { userId, changedAt: at } }
const disabled: UserEvent = { type: 'UserDisabled', data: { userId, disabledBy: 'otto', disabledAt: at } }
const registrationAbandoned: UserEvent = { type: 'RegistrationAbandoned', data: { userId, abandonedAt: at } }
const identifierAbandoned: UserEvent = { type: 'IdentifierAbandoned', data: { userId, abandonedAt: at } }

describe('RegisterUser', () => {
  test('is accepted', () => given().when(registerUser).then(registered))
  test('is accepted with the roles of the command', () => {
    const command: UserCommand = { ...registerUser, data: { ...registerUser.data, roles: ['operator'] } } as UserCommand
    given()
      .when(command)
      .then({ type: 'UserRegistered', data: { ...registered.data, roles: ['operator'] } } as UserEvent)
  })
  test.each([
    ['registered before', [registered], 'user_already_registered'],
    ['disabled', [registered, disabled], 'user_already_registered'],
    ['abandoned', [registrationAbandoned], 'registration_abandoned'],
  ])('is refused when the user is %s', (_, events, code) =>
    given(...(events as UserEvent[]))
      .when(registerUser)
      .refused(code),
  )
})

describe('ChangeEmail', () => {
  test('is accepted', () => given(registered).when(changeEmail()).then(emailChanged()))
  test('is accepted again and again', () =>
    given(registered, emailChanged()).when(changeEmail(person.email)).then(emailChanged(person.email)))
  test.each([[[registered], person.email] as const, [[registered, emailChanged()], 'new@example.org'] as const])(
    'does nothing for the current address',
    (events, email) =>
      given(...events)
        .when(changeEmail(email))
        .then(),
  )
})

describe('ChangePassword', () => {
  test('is accepted, also twice', () => given(registered, passwordChanged).when(changePassword).then(passwordChanged))
})

describe('DisableUser', () => {
  test('is accepted', () => given(registered).when(disableUser()).then(disabled))
  test('does nothing when it is repeated', () => given(registered, disabled).when(disableUser('olga')).then())
  test('is refused for oneself', () => given(registered).when(disableUser(userId)).refused('own_account'))
})

test.each([
  ['ChangeEmail', changeEmail()],
  ['ChangePassword', changePassword],
  ['DisableUser', disableUser()],
])('%s is refused without a registered user, also after an abandoned registration', (_, command) => {
  given().when(command).refused('user_not_found')
  given(registrationAbandoned).when(command).refused('user_not_found')
})
test.each([
  ['ChangeEmail', changeEmail()],
  ['ChangePassword', changePassword],
])('%s is refused for a disabled user', (_, command) =>
  given(registered, disabled).when(command).refused('user_disabled'),
)

describe('AbandonIdentifier', () => {
  test('is accepted without a registration, which is then no longer possible', () => {
    given()
      .when(abandon({ userName: 'zoe' }))
      .then(registrationAbandoned)
    given(registrationAbandoned)
      .when(abandon({ email: 'zoe@example.org' }))
      .then()
  })
  test.each([[[registered]], [[registered, disabled]]])('is refused for an identifier that the user has', (events) => {
    for (const identifier of [{ userName: 'zoe' }, { email: 'zoe@example.org' }])
      given(...events)
        .when(abandon(identifier))
        .refused('identifier_in_use')
  })
  test('is accepted for an identifier that the user does not have, or no longer has', () => {
    given(registered)
      .when(abandon({ email: 'new@example.org' }))
      .then(identifierAbandoned)
    given(registered, emailChanged())
      .when(abandon({ email: person.email }))
      .then(identifierAbandoned)
    given(registered, emailChanged())
      .when(abandon({ email: 'new@example.org' }))
      .refused('identifier_in_use')
  })
})

describe('the registration form', () => {
  const input = { ...person, password: 'correct horse battery' }
  test('is trimmed, and names and addresses are case-insensitive', () =>
    expect(registerUserInput.parse({ ...input, userName: ' ZOE ', email: ' Zoe@Example.org ' })).toEqual(input))

  test.each([
    ['a short password', { password: 'eleven char' }],
    ['a long password', { password: 'x'.repeat(129) }],
    ['a password that holds the user name', { password: 'my name is Zoe, really' }],
    ['a user name with an @', { userName: 'zoe@home' }],
    ['a user name with a letter that looks like another', { userName: 'zоe' }],
    ['a short user name', { userName: 'zo' }],
    ['no address', { email: 'zoe' }],
    ['a role', { roles: ['operator'] }],
    ['no name', { name: ' ' }],
  ])('is refused with %s', (_, change) =>
    expect(registerUserInput.safeParse({ ...input, ...change }).success).toBe(false),
  )

  test('accepts passwords of 12 and of 128 characters', () => {
    for (const length of [12, 128])
      expect(changePasswordInput('zoe').safeParse({ password: 'x'.repeat(length) }).success).toBe(true)
    expect(changePasswordInput('zoe').safeParse({ password: 'ZOEzoezoezoezoe' }).success).toBe(false)
    expect(changeEmailInput.safeParse({ email: `${'x'.repeat(250)}@example.org` }).success).toBe(false)
  })
})

test('personal fields are marked', () => {
  const marked = Object.entries(userEvents.schemas).flatMap(([type, { shape }]) =>
    Object.entries(shape).flatMap(([field, schema]) => (schema.meta()?.personal ? [`${type}.${field}`] : [])),
  )
  expect(marked).toEqual([
    'UserRegistered.userName',
    'UserRegistered.name',
    'UserRegistered.email',
    'EmailChanged.email',
  ])
})

describe('any sequence of commands', () => {
  const anyEmail = fc.constantFrom(person.email, 'new@example.org', 'other@example.org')
  const anyCommand = fc.oneof(
    fc.constantFrom(registerUser, changePassword, disableUser(), disableUser(userId), abandon({ userName: 'zoe' })),
    anyEmail.map(changeEmail),
    anyEmail.map((email) => abandon({ email })),
  )
  const run = (commands: readonly UserCommand[]) => {
    const events: UserEvent[] = []
    for (const command of commands) {
      try {
        events.push(...user.decide(command, fold(user, user.initialState, events)))
      } catch (error) {
        if (!(error instanceof Rejection)) throw error
      }
    }
    return events
  }
  const anyEvents = fc.array(anyCommand, { maxLength: 20 }).map(run)

  test('has at most one registration, as the first event and not after abandoning, and no own changes after disabling', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const types = events.map(({ type }) => type)
        expect(types.filter((type) => type === 'UserRegistered' || type === 'RegistrationAbandoned').length).toBe(
          Math.min(1, types.length),
        )
        if (types[0] === 'RegistrationAbandoned') expect(types).toHaveLength(1)
        const last = types.indexOf('UserDisabled')
        if (last >= 0) for (const type of types.slice(last + 1)) expect(type).toBe('IdentifierAbandoned')
      }),
    )
  })

  test('leads to the last address in the state and to events that match their schemas', () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const state = fold(user, user.initialState, events)
        const addresses = events.flatMap(({ data }) => ('email' in data ? [data.email] : []))
        expect('email' in state ? state.email : undefined).toBe(addresses.at(-1))
        for (const { type, data } of events) expect(userEvents.schemas[type].safeParse(data).success).toBe(true)
        expect(user.isTerminal(state)).toBe(state.status === 'disabled' || state.status === 'abandoned')
      }),
    )
  })

  test('never releases an address in use', () => {
    fc.assert(
      fc.property(anyEvents, anyEmail, (events, email) => {
        const state = fold(user, user.initialState, events)
        if (!('email' in state) || state.email !== email) return
        expect(() => user.decide(abandon({ email }), state)).toThrow(Rejection)
      }),
    )
  })
})
