// How often an address may apply for a loan, and how many sockets an address and a person may hold.
import { createHmac, randomBytes } from 'node:crypto'
import { addressKey } from '@headwater/http-kit/access/address-key'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

const hourSeconds = 3_600
/** Addresses share this many counters, so that no number of addresses takes more memory. */
const countersMax = 65_536
const secretBytes = 32

export type ApplyLimit = {
  /** Counts one application; more than 0: so many seconds until the address may send another. */
  readonly count: (address: string) => Promise<number>
}

/** Counted by each gateway for itself: a limit on floods, not on people. */
export const createApplyLimit = (perHour: number): ApplyLimit => {
  const limiter = new RateLimiterMemory({ points: perHour, duration: hourSeconds })
  // Unknown to anybody, so that nobody finds addresses that share a counter.
  const secret = randomBytes(secretBytes)
  const counterOf = (address: string) =>
    createHmac('sha256', secret).update(addressKey(address)).digest().readUInt32BE() % countersMax
  return {
    count: async (address) => {
      try {
        await limiter.consume(String(counterOf(address)))
        return 0
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error
        return Math.max(Math.ceil(error.msBeforeNext / 1_000), 1)
      }
    },
  }
}

export type Places = {
  /** One more for the key; false when it has all it may have. */
  readonly take: (key: string) => boolean
  readonly give: (key: string) => void
}

/** Counts what is open by key, and forgets a key that has nothing open. */
export const createPlaces = (max: number): Places => {
  const taken = new Map<string, number>()
  return {
    take: (key) => {
      const count = taken.get(key) ?? 0
      if (count >= max) return false
      taken.set(key, count + 1)
      return true
    },
    give: (key) => {
      const left = (taken.get(key) ?? 0) - 1
      if (left > 0) taken.set(key, left)
      else taken.delete(key)
    },
  }
}
