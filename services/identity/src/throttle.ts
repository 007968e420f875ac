// Slows down whoever tries passwords, or registers, again and again: counted by user name and by address, over all replicas.
import { keyedId } from '@headwater/eventstore/keyed-id'
import { addressKey } from '@headwater/http-kit/address-key'
import { Problem } from '@headwater/http-kit/problem'
import type { Pool } from 'pg'
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible'

const windowSeconds = 15 * 60
/** Wrong passwords for one name; people who forgot theirs stop before. */
const triesOfNameMax = 10
/** Many people may come from one address. */
const triesOfAddressMax = 100
const registrationsOfAddressMax = 20
const registrationWindowSeconds = 60 * 60
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
      await count(ofAddress, addressKey(address))
      await count(ofName, userName)
    },
    afterSignIn: async (userName, address) => {
      await ofName.delete(hidden(userName))
      await ofAddress.reward(hidden(addressKey(address)))
    },
    beforeRegistration: (address) => count(registrations, addressKey(address)),
  }
}
