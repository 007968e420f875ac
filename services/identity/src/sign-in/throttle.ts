// Slows down whoever tries passwords, registers or looks for addresses again and again: counted over all replicas.
import { keyedId } from '@headwater/eventstore/keyed-id'
import { addressKey } from '@headwater/http-kit/access/address-key'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { Limit, SharedLimits } from '@headwater/postgres/shared-limits'

const windowSeconds = 15 * 60
/** Wrong passwords for one name from one address; people who forgot theirs stop before. */
const triesOfNameAtAddressMax = 10
/** From everywhere: far more, so that nobody is kept out of their account by somebody elsewhere who only wants that. */
const triesOfNameMax = 100
/** Many people may come from one address. */
const triesOfAddressMax = 100
const hourSeconds = 60 * 60
const registrationsOfAddressMax = 20
/** Of one user: whether it is taken or not, each try tells something about the address. */
const emailsOfUserMax = 5

export type Throttle = {
  /**
   * Counts a try before it is looked at, so that none of many at once is free.
   * @throws Problem 429
   */
  readonly beforeSignIn: (userName: string, address: string) => Promise<void>
  readonly afterSignIn: (userName: string, address: string) => Promise<void>
  /** @throws Problem 429 */
  readonly beforeRegistration: (address: string) => Promise<void>
  /** @throws Problem 429 */
  readonly beforeEmailChange: (userId: string) => Promise<void>
}

/** @param key names the counters: neither a user name nor an address is in the database */
export const createThrottle = ({ limit }: Pick<SharedLimits, 'limit'>, key: string): Throttle => {
  const ofNameAtAddress = limit({ keyPrefix: 'name at address', points: triesOfNameAtAddressMax, windowSeconds })
  const ofName = limit({ keyPrefix: 'name', points: triesOfNameMax, windowSeconds })
  const ofAddress = limit({ keyPrefix: 'address', points: triesOfAddressMax, windowSeconds })
  const hourly = { windowSeconds: hourSeconds }
  const registrations = limit({ keyPrefix: 'registrations', points: registrationsOfAddressMax, ...hourly })
  const emails = limit({ keyPrefix: 'emails', points: emailsOfUserMax, ...hourly })
  const hidden = (text: string) => keyedId(key, `tries:${text}`)
  const both = (userName: string, address: string) => JSON.stringify([userName, addressKey(address)])

  const count = async (limit: Limit, text: string) => {
    const { refused, msLeft } = await limit.count(hidden(text))
    if (!refused) return
    const retryAfterSeconds = Math.ceil(msLeft / 1_000)
    throw new Problem(429, 'too_many_tries', 'There were too many tries.', { retryAfterSeconds })
  }

  return {
    beforeSignIn: async (userName, address) => {
      await count(ofAddress, addressKey(address))
      await count(ofNameAtAddress, both(userName, address))
      await count(ofName, userName)
    },
    afterSignIn: async (userName, address) => {
      await ofNameAtAddress.forget(hidden(both(userName, address)))
      await ofName.giveBack(hidden(userName))
      await ofAddress.giveBack(hidden(addressKey(address)))
    },
    beforeRegistration: (address) => count(registrations, addressKey(address)),
    beforeEmailChange: (userId) => count(emails, userId),
  }
}
