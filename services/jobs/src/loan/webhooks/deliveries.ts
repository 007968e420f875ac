// The log of what webhooks are told, in Postgres: each message once a webhook, tried until it arrives or is given up.
import type { PartnerNews } from '@headwater/deciders/loan/partner-news'
import type { Delivery } from '@headwater/deciders/webhook/webhook'
import type { Outcome } from '@headwater/http-kit/outbound/webhook-sender'
import type { Pool } from 'pg'
import { v5 as uuidV5 } from 'uuid'
import type { SecretOf } from './secrets.ts'

/** The job that tries one delivery. */
export const deliverJob = 'deliver webhook'

const deliveryNamespace = '5d0f5f0e-8f2c-4e0e-9a0b-2b4c3f3a7c55'
const listedMax = 100
/** Never reached: a delivery is given up by time. Its column is a smallint. */
const attemptsMax = 32_767

/** One at a time to a webhook; those of different webhooks know nothing of each other. */
const enqueueEntered = `select graphile_worker.add_job(
    '${deliverJob}',
    json_build_object('id', id),
    queue_name => 'webhook-' || webhook_id,
    run_at => now(),
    max_attempts => ${attemptsMax},
    job_key => 'webhook-delivery-' || id
  ) from entered`

/** Where a delivery goes, and what. */
type DueDelivery = SecretOf & { readonly url: string; readonly body: string; readonly isDisabled: boolean }

type DeliveryRow = Omit<Delivery, 'enteredAt' | 'triedAt'> & {
  readonly enteredAt: Date
  readonly triedAt: Date | null
}

export type Deliveries = {
  /** One delivery for each enabled webhook of the partner; the same news again enters nothing. */
  readonly enter: (partner: string, news: PartnerNews) => Promise<void>
  /** Undefined when it has been delivered or given up. */
  readonly due: (id: string) => Promise<DueDelivery | undefined>
  /** What came of an attempt; the last one parks it. */
  readonly note: (id: string, outcome: Outcome) => Promise<Delivery['state']>
  /** Gives it up without an attempt. */
  readonly park: (id: string, reason: string) => Promise<void>
  /** The newest first. */
  readonly list: (webhookId: string) => Promise<readonly Delivery[]>
  /** Has it sent once more, whatever became of it before, under the same id. */
  readonly again: (id: string) => Promise<'entered' | 'unknown' | 'webhook disabled'>
  readonly counts: () => Promise<{ readonly waiting: number; readonly parked: number }>
}

export const openDeliveries = (pool: Pool, giveUpAfterHours: number): Deliveries => ({
  enter: async (partner, news) => {
    const { rows } = await pool.query<{ id: string }>(
      'select id from headwater.webhooks where partner = $1 and disabled_at is null',
      [partner],
    )
    const deliveries = rows.map(({ id: webhookId }) => {
      // A loan has an outcome once. Not the event names it: one that was lost in a restore may come again as another.
      const id = uuidV5(`${news.loanId}/${news.type}/${webhookId}`, deliveryNamespace)
      return { id, webhookId, body: JSON.stringify({ ...news, id }) }
    })
    await pool.query(
      `with entered as (
         insert into headwater.webhook_deliveries (id, webhook_id, body, loan_id, type, give_up_at)
         select id, webhook_id, body, $4, $5, now() + make_interval(hours => 1) * $6::float8
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as delivery (id, webhook_id, body)
         on conflict (id) do nothing
         returning *
       ) ${enqueueEntered}`,
      [
        deliveries.map(({ id }) => id),
        deliveries.map(({ webhookId }) => webhookId),
        deliveries.map(({ body }) => body),
        news.loanId,
        news.type,
        giveUpAfterHours,
      ],
    )
  },
  due: async (id) => {
    const { rows } = await pool.query<DueDelivery>(
      `select webhooks.id as "webhookId", secret_version as "secretVersion", secret_rotated_at as "secretRotatedAt",
         url, body, disabled_at is not null as "isDisabled"
       from headwater.webhook_deliveries delivery join headwater.webhooks on webhooks.id = webhook_id
       where delivery.id = $1 and delivered_at is null and parked_at is null`,
      [id],
    )
    return rows[0]
  },
  note: async (id, outcome) => {
    const { rows } = await pool.query<{ state: Delivery['state'] }>(
      `update headwater.webhook_deliveries set attempts = attempts + 1, tried_at = now(), status = $3, error = $4,
         delivered_at = case when $2 then now() end,
         parked_at = case when not $2 and now() >= give_up_at then now() end
       where id = $1
       returning case when $2 then 'delivered' when parked_at is null then 'waiting' else 'parked' end as state`,
      [id, outcome.delivered, outcome.status, outcome.delivered ? null : outcome.error],
    )
    return rows[0]?.state ?? 'parked'
  },
  park: async (id, reason) => {
    await pool.query('update headwater.webhook_deliveries set parked_at = now(), error = $2 where id = $1', [
      id,
      reason,
    ])
  },
  list: async (webhookId) => {
    const { rows } = await pool.query<DeliveryRow>(
      `select id, type, loan_id as "loanId", attempts, entered_at as "enteredAt", tried_at as "triedAt", status, error,
         case when delivered_at is not null then 'delivered' when parked_at is not null then 'parked' else 'waiting' end
           as state
       from headwater.webhook_deliveries where webhook_id = $1 order by entered_at desc, id limit $2`,
      [webhookId, listedMax],
    )
    return rows.map((row) => ({
      ...row,
      enteredAt: row.enteredAt.toISOString(),
      triedAt: row.triedAt?.toISOString() ?? null,
    }))
  },
  again: async (id) => {
    const { rows } = await pool.query<{ isEnabled: boolean; isEntered: boolean }>(
      `with found as (
         select delivery.id, disabled_at is null as is_enabled
         from headwater.webhook_deliveries delivery join headwater.webhooks on webhooks.id = webhook_id
         where delivery.id = $1
       ), entered as (
         update headwater.webhook_deliveries delivery
         set delivered_at = null, parked_at = null, error = null,
           give_up_at = now() + make_interval(hours => 1) * $2::float8
         from found where delivery.id = found.id and is_enabled returning delivery.*
       ), enqueued as (${enqueueEntered})
       select is_enabled as "isEnabled", exists (select from enqueued) as "isEntered" from found`,
      [id, giveUpAfterHours],
    )
    if (!rows[0]) return 'unknown'
    return rows[0].isEnabled ? 'entered' : 'webhook disabled'
  },
  counts: async () => {
    const { rows } = await pool.query<{ waiting: number; parked: number }>(
      `select count(*) filter (where parked_at is null) as waiting, count(parked_at) as parked
       from headwater.webhook_deliveries where delivered_at is null`,
    )
    return rows[0] ?? { waiting: 0, parked: 0 }
  },
})
