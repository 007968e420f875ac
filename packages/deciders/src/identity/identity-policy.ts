// Who may do what with users by a token: one row a command. What has no row nobody may do.
import { anyone, type Rules, role } from '../policy.ts'
import type { UserCommand } from './user.ts'

export const userCommandRules: Readonly<Record<UserCommand['type'], Rules>> = {
  RegisterUser: [anyone],
  // By nobody's token: people change their own on their account page, with their password once more.
  ChangeEmail: [],
  ChangePassword: [],
  DisableUser: [role('operator')],
  AbandonIdentifier: [],
}
