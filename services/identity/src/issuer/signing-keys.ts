// The keys that sign tokens: made once, kept sealed in Postgres, the same for every replica and after every restart.
import { inTransaction } from '@headwater/postgres/pool'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Pool } from 'pg'
import type { Seal } from './sealed.ts'

export const signingAlgorithm = 'ES256'

const makeKey = async (): Promise<JWK & { readonly kid: string }> => {
  const { privateKey } = await generateKeyPair(signingAlgorithm, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: signingAlgorithm, use: 'sig' }
}

/** The newest first: that one signs, the others are still published for tokens that they signed. */
export const readSigningKeys = async (pool: Pool, { seal, open }: Seal): Promise<readonly JWK[]> => {
  const rows = await inTransaction(pool, 'begin', async (client) => {
    // Replicas that start together make one key.
    await client.query('lock table headwater.issuer_keys in share row exclusive mode')
    const read = () => client.query<{ jwk: string }>('select jwk from headwater.issuer_keys order by made_at desc, kid')
    const found = await read()
    if (found.rows.length > 0) return found.rows
    const key = await makeKey()
    await client.query('insert into headwater.issuer_keys (kid, jwk) values ($1, $2)', [key.kid, seal(key)])
    return (await read()).rows
  })
  return rows.map(({ jwk }) => open(jwk) as JWK)
}
