// Operator requests for projections with their checkpoint in Postgres: read models, and the jobs.
import type { Pool } from 'pg'
import { type Wishes, wishDetails, wishFromRow } from '../operate/wishes.ts'

export const postgresWishes = (pool: Pool, follower: string): Wishes => ({
  all: async () => {
    const text = `select kind, event_id as "eventId", details::text as details
      from headwater.wishes where follower = $1 order by details->>'at'`
    return (await pool.query(text, [follower])).rows.map(wishFromRow)
  },
  add: async (wish) => {
    const text =
      'insert into headwater.wishes (follower, kind, event_id, details) values ($1, $2, $3, $4) on conflict do nothing'
    return ((await pool.query(text, [follower, wish.kind, wish.eventId, wishDetails(wish)])).rowCount ?? 0) > 0
  },
  remove: async ({ kind, eventId }) => {
    const text = 'delete from headwater.wishes where follower = $1 and kind = $2 and event_id = $3'
    return ((await pool.query(text, [follower, kind, eventId])).rowCount ?? 0) > 0
  },
  begin: async ({ kind, eventId }) => {
    const text = `update headwater.wishes set details = details || '{"isBegun": true}'
      where follower = $1 and kind = $2 and event_id = $3 and details -> 'isBegun' is null`
    return ((await pool.query(text, [follower, kind, eventId])).rowCount ?? 0) > 0
  },
  note: async ({ kind, eventId }, progress) => {
    await pool.query(
      `update headwater.wishes set details = jsonb_set(details, '{progress}', $1::jsonb)
       where follower = $2 and kind = $3 and event_id = $4`,
      [JSON.stringify(progress), follower, kind, eventId],
    )
  },
})
