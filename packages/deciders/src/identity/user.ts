// The rules of a user. Reservations (reservation.ts) keep identifiers unique.
import { z } from 'zod'
import { type Decider, Rejection } from '../decider.ts'
import { anyText, email, field, name, secret } from '../fields.ts'
import type { UserEvent } from './user-events.ts'

const passwordLengthMin = 12
/** Limits the time of hashing, which grows with the length. */
const passwordLengthMax = 128

type Registered = {
  readonly userId: string
  readonly userName: string
  readonly name: string
  readonly email: string
  readonly roles: readonly string[]
}

export type UserState =
  | { readonly status: 'none' }
  | { readonly status: 'abandoned' }
  | ({ readonly status: 'active' } & Registered)
  | ({ readonly status: 'disabled'; readonly disabledAt: string } & Registered)

const initialState: UserState = { status: 'none' }

const isRegistered = (state: UserState): state is Extract<UserState, Registered> =>
  state.status === 'active' || state.status === 'disabled'

const evolve = (state: UserState, event: UserEvent): UserState => {
  switch (event.type) {
    case 'UserRegistered': {
      const { userId, userName, name, email, roles } = event.data
      return { status: 'active', userId, userName, name, email, roles }
    }
    case 'RegistrationAbandoned':
      return { status: 'abandoned' }
    case 'EmailChanged':
      return isRegistered(state) ? { ...state, email: event.data.email } : state
    case 'IdentifierAbandoned':
    case 'PasswordChanged':
      return state
    case 'UserDisabled':
      return isRegistered(state) ? { ...state, status: 'disabled', disabledAt: event.data.disabledAt } : state
  }
}

const isTerminal = (state: UserState): boolean => state.status === 'abandoned' || state.status === 'disabled'

// Commands. Inputs are the schemas of forms; the service adds IDs, time, roles and actor.

/** No composition rules: every character is allowed, also leading and trailing blanks. */
const password = secret(passwordLengthMin, passwordLengthMax)

/** Case-insensitive. */
export const userName = field(
  'user name',
  anyText()
    .trim()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{1,38}[A-Za-z0-9]$/,
      '3 to 40 letters without accents, digits, dots, dashes or underscores',
    )
    .toLowerCase(),
)

/** True when the password contains the user name. */
const isGuessable = (password: string, userName: string): boolean => password.toLowerCase().includes(userName)

export const registerUserInput = z
  .strictObject({
    name,
    userName,
    email,
    password,
  })
  .refine((input) => !isGuessable(input.password, input.userName), {
    path: ['password'],
    message: 'not one that holds the user name',
  })
export const changeEmailInput = z.strictObject({ email })
/** @param userName of the user */
export const changePasswordInput = (userName: string) =>
  z.strictObject({
    password: password.refine((text) => !isGuessable(text, userName), 'not one that holds the user name'),
  })

type Identified = { readonly userId: string; readonly at: string }

export type UserCommand =
  | {
      readonly type: 'RegisterUser'
      /** Without the password, which never leaves the service. */
      readonly data: Identified &
        Omit<z.infer<typeof registerUserInput>, 'password'> & { readonly roles: readonly string[] }
    }
  | { readonly type: 'ChangeEmail'; readonly data: Identified & z.infer<typeof changeEmailInput> }
  | { readonly type: 'ChangePassword'; readonly data: Identified }
  | { readonly type: 'DisableUser'; readonly data: Identified & { readonly disabledBy: string } }
  /** Sent when another user needs a reserved identifier: it is released unless this user uses it. */
  | {
      readonly type: 'AbandonIdentifier'
      readonly data: Identified & { readonly identifier: { readonly userName: string } | { readonly email: string } }
    }

const userNotFound = () => new Rejection('user_not_found', 'There is no such user.')
const userDisabled = () => new Rejection('user_disabled', 'This account is closed.')

const decide = (command: UserCommand, state: UserState): readonly UserEvent[] => {
  const { userId, at } = command.data
  switch (command.type) {
    case 'RegisterUser': {
      if (state.status === 'abandoned')
        throw new Rejection('registration_abandoned', 'This took too long, and was given up. Please start again.')
      if (state.status !== 'none') throw new Rejection('user_already_registered', 'The user was registered before.')
      const { userName, name, email, roles } = command.data
      const data = { userId, userName, name, email, roles: [...roles], registeredAt: at }
      return [{ type: 'UserRegistered', data }]
    }
    case 'ChangeEmail':
      if (!isRegistered(state)) throw userNotFound()
      if (state.status === 'disabled') throw userDisabled()
      if (state.email === command.data.email) return []
      return [{ type: 'EmailChanged', data: { userId, email: command.data.email, changedAt: at } }]
    case 'ChangePassword':
      if (!isRegistered(state)) throw userNotFound()
      if (state.status === 'disabled') throw userDisabled()
      return [{ type: 'PasswordChanged', data: { userId, changedAt: at } }]
    case 'DisableUser':
      if (!isRegistered(state)) throw userNotFound()
      if (state.status === 'disabled') return []
      if (command.data.disabledBy === userId) throw new Rejection('own_account', 'Nobody disables their own account.')
      return [{ type: 'UserDisabled', data: { userId, disabledBy: command.data.disabledBy, disabledAt: at } }]
    case 'AbandonIdentifier': {
      if (state.status === 'abandoned') return []
      if (!isRegistered(state)) return [{ type: 'RegistrationAbandoned', data: { userId, abandonedAt: at } }]
      const { identifier } = command.data
      const isTheirs = 'email' in identifier ? identifier.email === state.email : identifier.userName === state.userName
      if (isTheirs) throw new Rejection('identifier_in_use', 'A user has it.')
      // Always recorded: a change under way expects an older revision, and fails.
      return [{ type: 'IdentifierAbandoned', data: { userId, abandonedAt: at } }]
    }
  }
}

export const user: Decider<UserCommand, UserEvent, UserState> = { initialState, decide, evolve, isTerminal }
