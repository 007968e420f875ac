// Who is asking. Until sign-in exists, a development setting can name one underwriter; everybody else is anonymous.
import { type Actor, anonymous, type Role } from '@headwater/deciders/policy'
import { z } from 'zod'
import { Problem } from './problem.ts'

/** The settings that {@link developmentActor} reads. */
export const developmentSettings = {
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
  underwriter === undefined ? anonymous : { kind: 'person', sub: underwriter, roles: ['underwriter'], scopes: [] }

/** @throws Problem 401 when nobody is signed in, 403 when somebody without the role is */
export const requireRole = (actor: Actor, role: Role): void => {
  if (actor.sub === anonymous.sub) throw new Problem(401, 'not_signed_in', `Sign in as ${role} to do this.`)
  if (!actor.roles.includes(role)) throw new Problem(403, 'forbidden', `Only ${role}s may do this.`)
}
