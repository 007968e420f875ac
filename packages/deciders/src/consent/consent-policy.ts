// Who may do what with consents: one row a command, a query and a topic. What has no row nobody may do.
import { type Actor, partner, type Rules, role, signedIn } from '../policy.ts'
import type { PatientCommand } from './patient.ts'
import { type GranteeKind, granteeKinds } from './patient-events.ts'

/** In each of these a person may ask for sight of another's record. */
const grantees: Rules = granteeKinds.map(role)
/** Everybody has a record, and the say over their own: which one a command or a query is about is never asked. */
const patients: Rules = [signedIn]

export const consentCommandRules: Readonly<Record<PatientCommand['type'], Rules>> = {
  AskConsent: grantees,
  GrantConsent: patients,
  RevokeConsent: patients,
  DeclineConsent: patients,
  RegisterContact: patients,
  ExpireConsent: [],
}

export const consentQueryRules = {
  /** Who sees one's own record. */
  consents: patients,
  requests: patients,
  history: patients,
  /** Whose records one sees oneself. */
  granted: grantees,
  check: [partner('consents:check')],
} satisfies Readonly<Record<string, Rules>>

export const consentTopicRules = {
  consents: patients,
  requests: patients,
  granted: grantees,
} satisfies Readonly<Record<string, Rules>>

export const granteeKindsIn = (roles: readonly string[]): readonly GranteeKind[] =>
  granteeKinds.filter((kind) => roles.includes(kind))

/** The kinds of grantee that the actor is. */
export const granteeKindsOf = ({ kind, roles }: Actor): readonly GranteeKind[] =>
  kind === 'person' ? granteeKindsIn(roles) : []
