// Asks the policy of every route before anything else is done with a request. What has no policy is served to nobody.
import { type Actor, anonymous, anyone, may, type Permission, type Rules } from '@headwater/deciders/policy'
import fastifyPlugin from 'fastify-plugin'
import { Problem } from '../commands/problem.ts'
import type { Credential, CredentialsOf } from './auth.ts'

/** A credential with which the route may be used: at once, or if what it is about turns out to be the actor's. */
export type Allowed = Credential & { readonly permission: Exclude<Permission, 'no'> }

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. */
    rules?: Rules
    /** Partners may ask as often as they like; elsewhere a server may limit them. */
    isUnlimited?: true
  }
  interface FastifyRequest {
    /** Who asks: of the first allowed credential, or of the first at all where none is. */
    actor: Actor
    /** In the order of the credentials; never empty where a handler runs. */
    allowed: readonly Allowed[]
  }
}

/** For a route's `config`: nobody is asked who they are. */
export const publicRoute: { readonly rules: Rules } = { rules: [anyone] }

export const allowedOf = (credentials: readonly Credential[], rules: Rules): readonly Allowed[] =>
  credentials.flatMap((credential) => {
    const permission = may(credential.actor, rules)
    return permission === 'no' ? [] : [{ ...credential, permission }]
  })

/** What is said to whom nothing is allowed: that they may sign in, or that it would not help. */
export const refusal = (credentials: readonly Credential[]): Problem =>
  credentials.every(({ actor }) => actor.kind !== 'anonymous')
    ? new Problem(403, 'forbidden', 'You may not do this.')
    : new Problem(401, 'not_signed_in', 'Sign in to do this.')

const nobody: readonly Allowed[] = [{ actor: anonymous, permission: 'yes' }]

export const access = (credentialsOf: CredentialsOf) =>
  fastifyPlugin(
    async (server) => {
      const routes: { readonly url: string; readonly config?: { readonly rules?: Rules } | undefined }[] = []
      server.decorateRequest('actor')
      server.decorateRequest('allowed')
      server.addHook('onRoute', (route) => void routes.push(route))
      server.addHook('onReady', async () => {
        const without = routes.filter(({ config }) => config?.rules === undefined).map(({ url }) => url)
        if (without.length > 0) throw new Error(`Nothing says who may use ${without.join(', ')}.`)
      })
      server.addHook('onRequest', async (request) => {
        request.actor = anonymous
        request.allowed = nobody
        const { rules = [] } = request.routeOptions.config
        if (request.is404 || rules.includes(anyone)) return
        const credentials = await credentialsOf(request)
        request.allowed = allowedOf(credentials, rules)
        const [{ actor } = { actor: anonymous }] = request.allowed.length > 0 ? request.allowed : credentials
        request.actor = actor
        if (request.allowed.length === 0) throw refusal(credentials)
      })
    },
    { name: 'access' },
  )
