// How much a partner may ask: so many requests a minute over all gateways, told in the headers of each answer.
import type { Actor } from '@headwater/deciders/policy'
import { Problem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import type { Pool } from 'pg'
import { RateLimiterMemory, RateLimiterPostgres, type RateLimiterRes, RLWrapperTimeouts } from 'rate-limiter-flexible'

const windowSeconds = 60
const timeoutMsDefault = 500
const policyName = '"partner"'

export type PartnerLimitOptions = {
  readonly pool: Pool
  readonly perMinute: number
  /** Of Postgres; then this gateway counts alone, until Postgres answers again. */
  readonly timeoutMs?: number
}

export type PartnerLimit = {
  /** Counts what a partner asks for otherwise than by a request; what is to be answered when that was too much. */
  readonly count: (partner: Actor) => Promise<Problem | undefined>
}

export const isPartner = ({ kind }: Actor): boolean => kind === 'partner'

/** After the policies have been asked, before anything is read or forwarded: for every route that is not unlimited. */
export const limitPartners = (
  server: HttpServer,
  { pool, perMinute, timeoutMs = timeoutMsDefault }: PartnerLimitOptions,
): PartnerLimit => {
  const quota = { points: perMinute, duration: windowSeconds }
  const together = new RateLimiterPostgres({
    ...quota,
    storeClient: pool,
    schemaName: 'headwater',
    tableName: 'partner_requests',
    tableCreated: true,
    keyPrefix: '',
    // Whoever has used up their minute costs Postgres nothing more.
    inMemoryBlockOnConsumed: perMinute,
  })
  const limiter = new RLWrapperTimeouts({
    limiter: together,
    timeoutMs,
    insuranceLimiter: new RateLimiterMemory(quota),
  })
  /** Whether it goes beyond the limit is in the numbers as well. */
  const count = (partner: string): Promise<RateLimiterRes & { readonly refused?: true }> =>
    limiter.consume(partner).catch((refused: unknown) => {
      if (refused instanceof Error) throw refused
      return Object.assign(refused as RateLimiterRes, { refused: true as const })
    })

  const secondsLeft = ({ msBeforeNext }: RateLimiterRes) => Math.ceil(msBeforeNext / 1_000)
  const tooMany = (seconds: number) =>
    new Problem(429, 'too_many_requests', `At most ${perMinute} requests a minute; go on in ${seconds} s.`)

  server.addHook('onRequest', async ({ actor, routeOptions }, reply) => {
    if (!isPartner(actor) || routeOptions.config.isUnlimited) return
    const counted = await count(actor.sub)
    const { remainingPoints, refused } = counted
    const resetSeconds = secondsLeft(counted)
    // As draft-ietf-httpapi-ratelimit-headers-11 writes them.
    reply.headers({
      'ratelimit-policy': `${policyName};q=${perMinute};w=${windowSeconds}`,
      ratelimit: `${policyName};r=${refused ? 0 : remainingPoints};t=${resetSeconds}`,
    })
    if (!refused) return
    reply.header('retry-after', resetSeconds)
    throw tooMany(resetSeconds)
  })

  return {
    count: async ({ sub }) => {
      const counted = await count(sub)
      return counted.refused && tooMany(secondsLeft(counted))
    },
  }
}
