// Maps a person's roles to kinds of grantee.
import type { Actor } from '../policy.ts'
import { type GranteeKind, granteeKinds } from './patient-events.ts'

export const granteeKindsIn = (roles: readonly string[]): readonly GranteeKind[] =>
  granteeKinds.filter((kind) => roles.includes(kind))

/** The kinds of grantee of an actor. */
export const granteeKindsOf = ({ kind, roles }: Actor): readonly GranteeKind[] =>
  kind === 'person' ? granteeKindsIn(roles) : []
