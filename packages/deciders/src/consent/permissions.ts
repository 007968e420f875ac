// What one grantee may see of one record and has asked for: the one meaning of `all` and of `until`, for decisions and queries alike.
import type { PatientEvent, Target } from './patient-events.ts'

/** What stands until it is revoked, replaced or expired; `until` null is without end. */
export type Permission = { readonly target: Target; readonly grantedAt: string; readonly until: string | null }

/** What a grantee has asked for and not been answered. */
export type Request = { readonly target: Target; readonly purpose: string | null; readonly askedAt: string }

export type Standing = {
  /** The newest first. */
  readonly permissions: readonly Permission[]
  /** The newest first. */
  readonly requests: readonly Request[]
}

export const nothingStands: Standing = { permissions: [], requests: [] }

const isOf =
  (target: Target) =>
  (item: { readonly target: Target }): boolean =>
    item.target === target
const isNotOf =
  (target: Target) =>
  (item: { readonly target: Target }): boolean =>
    item.target !== target

/** Instants are texts of one form and so compare as they are. At its end a permission is over, whoever has noticed. */
const isInForce = ({ until }: Permission, at: string): boolean => until === null || at < until

/** The permission for exactly this target that is in force. */
export const permissionFor = (permissions: readonly Permission[], target: Target, at: string): Permission | undefined =>
  permissions.find((permission) => permission.target === target && isInForce(permission, at))

/** The permission that gives sight of the target: its own, or the one for `all`. */
export const permissionCovering = (
  permissions: readonly Permission[],
  target: Target,
  at: string,
): Permission | undefined => permissionFor(permissions, 'all', at) ?? permissionFor(permissions, target, at)

export const permissionsInForce = (permissions: readonly Permission[], at: string): readonly Permission[] =>
  permissions.filter((permission) => isInForce(permission, at))

/** What stands for the grantee whom the event concerns. */
export const evolveStanding = (standing: Standing, event: PatientEvent): Standing => {
  const { permissions, requests } = standing
  switch (event.type) {
    case 'ConsentAsked': {
      const { target, purpose, askedAt } = event.data
      return { permissions, requests: [{ target, purpose, askedAt }, ...requests.filter(isNotOf(target))] }
    }
    case 'ConsentDeclined':
      return { permissions, requests: requests.filter(isNotOf(event.data.target)) }
    case 'ConsentGranted': {
      const { target, until, grantedAt } = event.data
      const granted = { target, until, grantedAt }
      // Only `all` without end takes the single ones in; a temporary one lies over them and leaves them as they were.
      const others = target === 'all' && until === null ? [] : permissions.filter(isNotOf(target))
      return {
        permissions: [granted, ...others],
        requests: target === 'all' ? [] : requests.filter(isNotOf(target)),
      }
    }
    case 'ConsentRevoked': {
      const { target } = event.data
      if (target === 'all') return { permissions: [], requests }
      // A single part is only revoked where no `all` is in force, except in events from before the spellings of one id were
      // one person. There `all` may stand under the other spelling, and must not give sight of what was revoked.
      return { permissions: permissions.filter(isNotOf(target)).filter(isNotOf('all')), requests }
    }
    case 'ConsentExpired': {
      const { target, until } = event.data
      // Under another spelling of the id the same part may stand with another end.
      return {
        permissions: permissions.filter((permission) => permission.target !== target || permission.until !== until),
        requests,
      }
    }
    case 'ContactRegistered':
      return standing
  }
}

export const isAsked = ({ requests }: Standing, target: Target): boolean => requests.some(isOf(target))
