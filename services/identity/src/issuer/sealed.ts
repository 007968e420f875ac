// Seals what Postgres keeps for the issuer: a copy of the database alone opens no session and signs no token.
import { createSealing } from '@headwater/http-kit/access/sealing'

const use = 'headwater identity: sealed rows'
const purpose = 'row'

export type Seal = {
  readonly seal: (value: object) => string
  /** @throws when it was sealed under another key */
  readonly open: (sealed: string) => unknown
}

/** @param secret the service's own, of which the key is made */
export const createSeal = (secret: string): Seal => {
  const sealing = createSealing(secret, use)
  return {
    seal: (value) => sealing.seal(JSON.stringify(value), purpose).toString('base64url'),
    open: (sealed) => {
      const text = sealing.open(Buffer.from(sealed, 'base64url'), purpose)
      if (text === undefined) throw new Error('What Postgres keeps for the issuer was sealed under another key.')
      return JSON.parse(text)
    },
  }
}
