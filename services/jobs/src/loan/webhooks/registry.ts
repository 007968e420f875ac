// Where partners want to be told: their webhooks in Postgres, as operators register, disable and enable them.
import type { Webhook } from '@headwater/deciders/webhook/webhook'
import type { Pool } from 'pg'

const listedMax = 500
const webhooksOfPartnerMax = 10

type WebhookRow = Omit<Webhook, 'registeredAt' | 'disabledAt'> & {
  readonly registeredAt: Date
  readonly disabledAt: Date | null
}

const columns = `id, partner, url, registered_at as "registeredAt", registered_by as "registeredBy",
  disabled_at as "disabledAt", secret_version as "secretVersion",
  (select count(*) from headwater.webhook_deliveries
   where webhook_id = webhooks.id and delivered_at is null and parked_at is null) as waiting,
  (select count(*) from headwater.webhook_deliveries
   where webhook_id = webhooks.id and delivered_at is null and parked_at is not null) as parked`

const webhookOf = (row: WebhookRow): Webhook => ({
  ...row,
  registeredAt: row.registeredAt.toISOString(),
  disabledAt: row.disabledAt?.toISOString() ?? null,
})

type Registration = {
  readonly id: string
  readonly partner: string
  readonly url: string
  /** The operator. */
  readonly registeredBy: string
}

export type Registry = {
  /** The same registration again changes nothing. */
  readonly register: (registration: Registration) => Promise<Webhook | 'another of this id' | 'too many'>
  /** The newest first. */
  readonly list: () => Promise<readonly Webhook[]>
  readonly find: (id: string) => Promise<Webhook | undefined>
  /** Undefined when there is no such webhook. */
  readonly setEnabled: (id: string, enabled: boolean) => Promise<Webhook | undefined>
  /** Only the secret that is replaced is: a repeat does nothing. */
  readonly rotateSecret: (id: string, replaced: number) => Promise<Webhook | 'not current' | undefined>
}

export const openRegistry = (pool: Pool): Registry => {
  const find = async (id: string) => {
    const { rows } = await pool.query<WebhookRow>(`select ${columns} from headwater.webhooks where id = $1`, [id])
    return rows[0] && webhookOf(rows[0])
  }

  return {
    find,
    register: async ({ id, partner, url, registeredBy }) => {
      await pool.query(
        `insert into headwater.webhooks (id, partner, url, registered_by)
         select $1, $2, $3, $4
         where (select count(*) from headwater.webhooks where partner = $2 and disabled_at is null) < $5
         on conflict (id) do nothing`,
        [id, partner, url, registeredBy, webhooksOfPartnerMax],
      )
      const registered = await find(id)
      if (!registered) return 'too many'
      const isSame = registered.partner === partner && registered.url === url
      return isSame ? registered : 'another of this id'
    },
    list: async () => {
      const { rows } = await pool.query<WebhookRow>(
        `select ${columns} from headwater.webhooks order by registered_at desc, id limit $1`,
        [listedMax],
      )
      return rows.map(webhookOf)
    },
    setEnabled: async (id, enabled) => {
      await pool.query(
        `update headwater.webhooks set disabled_at = case when $2 then null else coalesce(disabled_at, now()) end
         where id = $1`,
        [id, enabled],
      )
      return find(id)
    },
    rotateSecret: async (id, replaced) => {
      const { rowCount } = await pool.query(
        `update headwater.webhooks set secret_version = secret_version + 1, secret_rotated_at = now()
         where id = $1 and secret_version = $2`,
        [id, replaced],
      )
      const rotated = await find(id)
      return rotated && rowCount === 0 ? 'not current' : rotated
    },
  }
}
