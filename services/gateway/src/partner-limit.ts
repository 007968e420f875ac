// How much a partner may ask: so many requests a minute over all gateways, told in the headers of each answer.
import type { Actor } from '@headwater/deciders/policy'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Counted, SharedLimits } from '@headwater/postgres/shared-limits'

const windowSeconds = 60
const policyName = '"partner"'

export type PartnerLimitOptions = {
  readonly limits: Pick<SharedLimits, 'limit' | 'status'>
  readonly perMinute: number
}

export type PartnerLimit = {
  /** Counts what a partner asks for otherwise than by a request; what is to be answered when that was too much. */
  readonly count: (partner: Actor) => Promise<Problem | undefined>
}

export const isPartner = ({ kind }: Actor): boolean => kind === 'partner'

/** After the policies have been asked, before anything is read or forwarded: for every route that is not unlimited. */
export const limitPartners = (server: HttpServer, { limits, perMinute }: PartnerLimitOptions): PartnerLimit => {
  const { count } = limits.limit({ keyPrefix: '', points: perMinute, windowSeconds, remembersRefusals: true })
  const secondsLeft = ({ msLeft }: Counted) => Math.ceil(msLeft / 1_000)
  const tooMany = (seconds: number) =>
    new Problem(429, 'too_many_requests', `At most ${perMinute} requests a minute; go on in ${seconds} s.`)

  server.addHook('onRequest', async ({ actor, routeOptions }, reply) => {
    if (!isPartner(actor) || routeOptions.config.isUnlimited) return
    const counted = await count(actor.sub)
    const resetSeconds = secondsLeft(counted)
    // As draft-ietf-httpapi-ratelimit-headers-11 writes them.
    reply.headers({
      'ratelimit-policy': `${policyName};q=${perMinute};w=${windowSeconds}`,
      ratelimit: `${policyName};r=${counted.remaining};t=${resetSeconds}`,
    })
    if (!counted.refused) return
    reply.header('retry-after', resetSeconds)
    throw tooMany(resetSeconds)
  })

  return {
    count: async ({ sub }) => {
      const counted = await count(sub)
      return counted.refused ? tooMany(secondsLeft(counted)) : undefined
    },
  }
}
