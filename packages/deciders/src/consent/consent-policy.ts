// The kinds of grantee that a person is: those of their roles in which records are shown.
import type { Actor } from '../policy.ts'
import { type GranteeKind, granteeKinds } from './patient-events.ts'

export const granteeKindsIn = (roles: readonly string[]): readonly GranteeKind[] =>
  granteeKinds.filter((kind) => roles.includes(kind))

/** The kinds of grantee that the actor is. */
export const granteeKindsOf = ({ kind, roles }: Actor): readonly GranteeKind[] =>
  kind === 'person' ? granteeKindsIn(roles) : []
