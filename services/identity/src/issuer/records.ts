// What the issuer remembers, such as sessions, grants, codes and refresh tokens: rows of Postgres, the same for every replica.

import { hashOf } from '@headwater/http-kit/access/sealing'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import { type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { Pool } from 'pg'
import type { Seal } from './sealed.ts'

const forgetEveryMs = 10 * 60_000
const msPerSecond = 1_000

type Row = { readonly payload: string; readonly consumed_at: Date | null }

export type Records = {
  /** For the provider: what stores and finds one kind of record. */
  readonly adapter: AdapterFactory
  /**
   * Ends what a user is signed in to, here and at clients.
   * @param except the session that goes on
   */
  readonly endSessionsOf: (userId: string, except?: string) => Promise<void>
  readonly stop: () => void
}

export const openRecords = (pool: Pool, { seal, open }: Seal, logger: Logger): Records => {
  const found = async (model: string, column: 'id_hash' | 'uid', value: string) => {
    const { rows } = await pool.query<Row>(
      `select payload, consumed_at from headwater.issuer_records
       where model = $1 and ${column} = $2 and (expires_at is null or expires_at > now())`,
      [model, value],
    )
    const [row] = rows
    if (!row) return undefined
    const payload = open(row.payload) as AdapterPayload
    return row.consumed_at ? { ...payload, consumed: Math.floor(row.consumed_at.getTime() / msPerSecond) } : payload
  }

  const adapter: AdapterFactory = (model) => ({
    upsert: async (id, payload, expiresIn) => {
      await pool.query(
        `insert into headwater.issuer_records (model, id_hash, payload, uid, grant_id, account_id, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
         on conflict (model, id_hash) do update set payload = excluded.payload, uid = excluded.uid,
           grant_id = excluded.grant_id, account_id = excluded.account_id, expires_at = excluded.expires_at`,
        [
          model,
          hashOf(id),
          seal(payload),
          payload.uid ?? null,
          payload.grantId ?? null,
          payload.accountId ?? null,
          expiresIn || null,
        ],
      )
    },
    find: (id) => found(model, 'id_hash', hashOf(id)),
    findByUid: (uid) => found(model, 'uid', uid),
    // There are no devices without a browser here.
    findByUserCode: async () => undefined,
    destroy: async (id) => {
      await pool.query('delete from headwater.issuer_records where model = $1 and id_hash = $2', [model, hashOf(id)])
    },
    consume: async (id) => {
      const { rowCount } = await pool.query(
        `update headwater.issuer_records set consumed_at = now()
         where model = $1 and id_hash = $2 and consumed_at is null`,
        [model, hashOf(id)],
      )
      // Of two that come at once with one code or one refresh token, one is served.
      if (rowCount === 0) throw new errors.InvalidGrant('already used')
    },
    revokeByGrantId: async (grantId) => {
      await pool.query('delete from headwater.issuer_records where grant_id = $1', [grantId])
    },
  })

  const forgetting = setInterval(() => {
    pool
      .query('delete from headwater.issuer_records where expires_at < now()')
      .catch((error: unknown) => logger.warn({ err: error }, 'records that are over could not be deleted'))
  }, forgetEveryMs)

  return {
    adapter,
    endSessionsOf: async (userId, except) => {
      await pool.query('delete from headwater.issuer_records where account_id = $1 and uid is distinct from $2', [
        userId,
        except ?? '',
      ])
    },
    stop: () => clearInterval(forgetting),
  }
}
