// Slows down whoever tries passwords, or registers, again and again: counted by user name and by address, over all replicas.
import { keyedId } from '@headwater/eventstore/keyed-id'
import { Problem } from '@headwater/http-kit/problem'
import ipaddr from 'ipaddr.js'
import type { Pool } from 'pg'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'

const windowSeconds = 15 * 60
/** Wrong passwords for one name; people who forgot theirs stop before. */
const triesOfNameMax = 10
/** Many people may come from one address. */
const triesOfAddressMax = 100
const registrationsOfAddressMax = 20
const registrationWindowSeconds = 60 * 60
/** Whoever has an IPv6 address has all those that begin like it. */
const ipv6PrefixBytes = 8

const networkOf = (address: string): string => {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  const bytes = parsed.toByteArray()
  return (parsed.kind() === 'ipv6' ? bytes.slice(0, ipv6PrefixBytes) : bytes).join('.')
}

export type Throttle = {
  /**
   * Counts a try before it is looked at, so that none of many at once is free.
   * @throws Problem 429
   */
  readonly beforeSignIn: (userName: string, address: string) => Promise<void>
  readonly afterSignIn: (userName: string, address: string) => Promise<void>
  /** @throws Problem 429 */
  readonly beforeRegistration: (address: string) => Promise<void>
}

/** @param key names the counters: neither a user name nor an address is in the database */
export const createThrottle = (pool: Pool, key: string): Throttle => {
  const limiter = (keyPrefix: string, points: number, duration: number) =>
    new RateLimiterPostgres({
      storeClient: pool,
      schemaName: 'headwater',
      tableName: 'sign_in_tries',
      tableCreated: true,
      keyPrefix,
      points,
      duration,
    })
  const ofName = limiter('name', triesOfNameMax, windowSeconds)
  const ofAddress = limiter('address', triesOfAddressMax, windowSeconds)
  const registrations = limiter('registrations', registrationsOfAddressMax, registrationWindowSeconds)
  const hidden = (text: string) => keyedId(key, `tries:${text}`)

  const count = async (limiter: RateLimiterPostgres, text: string) => {
    try {
      await limiter.consume(hidden(text))
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      const retryAfterSeconds = Math.ceil(error.msBeforeNext / 1_000)
      throw new Problem(429, 'too_many_tries', 'There were too many tries.', { retryAfterSeconds })
    }
  }

  return {
    beforeSignIn: async (userName, address) => {
      await count(ofAddress, networkOf(address))
      await count(ofName, userName)
    },
    afterSignIn: async (userName, address) => {
      await ofName.delete(hidden(userName))
      await ofAddress.reward(hidden(networkOf(address)))
    },
    beforeRegistration: (address) => count(registrations, networkOf(address)),
  }
}
