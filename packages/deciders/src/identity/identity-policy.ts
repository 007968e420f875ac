// Access rules for commands on users, one row per command. Deny by default.
import { anyone, type Rules, role } from '../policy.ts'
import type { UserCommand } from './user.ts'

export const userCommandRules: Readonly<Record<UserCommand['type'], Rules>> = {
  RegisterUser: [anyone],
  // Not allowed by token: people change their own on their account page, confirmed with their password.
  ChangeEmail: [],
  ChangePassword: [],
  DisableUser: [role('operator')],
  AbandonIdentifier: [],
}
