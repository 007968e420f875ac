// Seals what Postgres keeps for the issuer: a copy of the database alone opens no session and signs no token.
import { createHash, hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'

const keyBytes = 32
const text = { encode: new TextEncoder(), decode: new TextDecoder() }

export type Seal = {
  readonly seal: (value: object) => Promise<string>
  /** @throws when it was sealed under another key */
  readonly open: (sealed: string) => Promise<unknown>
}

/** @param secret the service's own, of which the key is made */
export const createSeal = (secret: string): Seal => {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'headwater identity: sealed rows', keyBytes))
  return {
    seal: (value) =>
      new CompactEncrypt(text.encode.encode(JSON.stringify(value)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .encrypt(key),
    open: async (sealed) => JSON.parse(text.decode.decode((await compactDecrypt(sealed, key)).plaintext)),
  }
}

/** What stands in the database for an id that opens a door. */
export const hashOf = (id: string): string => createHash('sha256').update(id).digest('base64url')
