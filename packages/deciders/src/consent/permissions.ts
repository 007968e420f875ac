// The permissions and requests of one grantee for one record. Defines `all` and `until` for decisions and queries alike.
import type { PatientEvent, Target } from './patient-events.ts'

/** A permission until it is revoked, replaced or expired; without end when `until` is null. */
export type Permission = { readonly target: Target; readonly grantedAt: string; readonly until: string | null }

/** A grantee's open request. */
export type Request = { readonly target: Target; readonly purpose: string | null; readonly askedAt: string }

export type GranteeState = {
  /** Newest first. */
  readonly permissions: readonly Permission[]
  /** Newest first. */
  readonly requests: readonly Request[]
}

export const noGrants: GranteeState = { permissions: [], requests: [] }

const isForTarget =
  (target: Target) =>
  (item: { readonly target: Target }): boolean =>
    item.target === target
const isForOtherTarget =
  (target: Target) =>
  (item: { readonly target: Target }): boolean =>
    item.target !== target

/** Instants have one text form and compare as text. A permission ends at `until`, also before its expiry is recorded. */
const isInForce = ({ until }: Permission, at: string): boolean => until === null || at < until

/** The permission for exactly this target that is in force. */
export const permissionFor = (permissions: readonly Permission[], target: Target, at: string): Permission | undefined =>
  permissions.find((permission) => permission.target === target && isInForce(permission, at))

/** The permission that covers the target: its own, or the one for `all`. */
export const permissionCovering = (
  permissions: readonly Permission[],
  target: Target,
  at: string,
): Permission | undefined => permissionFor(permissions, 'all', at) ?? permissionFor(permissions, target, at)

export const permissionsInForce = (permissions: readonly Permission[], at: string): readonly Permission[] =>
  permissions.filter((permission) => isInForce(permission, at))

/** The state of the event's grantee after it. */
export const evolveGrantee = (grantee: GranteeState, event: PatientEvent): GranteeState => {
  const { permissions, requests } = grantee
  switch (event.type) {
    case 'ConsentAsked': {
      const { target, purpose, askedAt } = event.data
      return { permissions, requests: [{ target, purpose, askedAt }, ...requests.filter(isForOtherTarget(target))] }
    }
    case 'ConsentDeclined':
      return { permissions, requests: requests.filter(isForOtherTarget(event.data.target)) }
    case 'ConsentGranted': {
      const { target, until, grantedAt } = event.data
      const granted = { target, until, grantedAt }
      // Only `all` without end replaces permissions for parts; a temporary one leaves them in place.
      const others = target === 'all' && until === null ? [] : permissions.filter(isForOtherTarget(target))
      return {
        permissions: [granted, ...others],
        requests: target === 'all' ? [] : requests.filter(isForOtherTarget(target)),
      }
    }
    case 'ConsentRevoked': {
      const { target } = event.data
      if (target === 'all') return { permissions: [], requests }
      // A part is revoked only while no `all` is in force, except in events older than normalized IDs: there `all` may be
      // granted under the other spelling, and must not show the revoked part.
      return { permissions: permissions.filter(isForOtherTarget(target)).filter(isForOtherTarget('all')), requests }
    }
    case 'ConsentExpired': {
      const { target, until } = event.data
      // Under another spelling of the ID the same part may be granted with another end.
      return {
        permissions: permissions.filter((permission) => permission.target !== target || permission.until !== until),
        requests,
      }
    }
    case 'ContactRegistered':
      return grantee
  }
}

export const isAsked = ({ requests }: GranteeState, target: Target): boolean => requests.some(isForTarget(target))
