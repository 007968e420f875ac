// Who is asking. Until sign-in exists, a development setting can name one underwriter; everybody else is anonymous.
import { z } from 'zod'
import { Problem } from './problem.ts'

export type Role = 'underwriter'

/** Who sends a request: `sub` is their id at the identity provider. */
export type Actor = { readonly sub: string; readonly roles: readonly Role[] }

export const anonymous: Actor = { sub: 'anonymous', roles: [] }

/** The settings that {@link developmentActor} reads. */
export const authSettings = {
  NODE_ENV: z.string().optional(),
  DEVELOPMENT_UNDERWRITER: z.string().optional(),
}

/** A check for a service's whole configuration: the development switch would let everybody decide on loans. */
export const refuseDevelopmentActorInProduction = z.refine<{
  NODE_ENV?: string | undefined
  DEVELOPMENT_UNDERWRITER?: string | undefined
}>((config) => config.NODE_ENV !== 'production' || config.DEVELOPMENT_UNDERWRITER === undefined, {
  path: ['DEVELOPMENT_UNDERWRITER'],
  message: 'must not be set in production',
})

/** The actor of every request until sign-in exists: the named underwriter, or nobody. */
export const developmentActor = (underwriter: string | undefined): Actor =>
  underwriter === undefined ? anonymous : { sub: underwriter, roles: ['underwriter'] }

/** @throws Problem 401 when nobody is signed in, 403 when somebody without the role is */
export const requireRole = (actor: Actor, role: Role): void => {
  if (actor.sub === anonymous.sub) throw new Problem(401, 'not_signed_in', `Sign in as ${role} to do this.`)
  if (!actor.roles.includes(role)) throw new Problem(403, 'forbidden', `Only ${role}s may do this.`)
}
