// The parked events of projections with their checkpoint in Postgres: read models, and the jobs.
import type { Pool, PoolClient } from 'pg'
import { type ParkedEvent, type ParkedRow, type Parking, parkedFromRow, parkedRow } from '../model/parked.ts'

export const readParked = async (db: Pool | PoolClient, follower: string): Promise<readonly ParkedEvent[]> => {
  const text = 'select details from headwater.parked_events where follower = $1'
  const { rows } = await db.query<{ details: string }>(text, [follower])
  return rows.map(({ details }) => parkedFromRow(details))
}

/** The parked streams and the fingerprint, for readers of a read model. */
export const readAside = async (
  db: Pool | PoolClient,
  follower: string,
): Promise<readonly Pick<ParkedRow, 'eventId' | 'stream' | 'isSkipped'>[]> => {
  const text = `select event_id as "eventId", stream, is_skipped as "isSkipped"
    from headwater.parked_events where follower = $1`
  return (await db.query(text, [follower])).rows
}

/** In an open transaction. False when an event to remove is not on the list: the caller rolls back. */
export const writeParking = async (
  client: PoolClient,
  follower: string,
  { put, removed }: Parking,
): Promise<boolean> => {
  const text = 'delete from headwater.parked_events where follower = $1 and event_id = any($2)'
  const gone = removed.length > 0 ? await client.query(text, [follower, removed]) : undefined
  for (const { eventId, stream, isSkipped, details } of put.map(parkedRow))
    await client.query(
      `insert into headwater.parked_events (follower, event_id, stream, is_skipped, details) values ($1, $2, $3, $4, $5)
       on conflict (follower, event_id) do update set is_skipped = excluded.is_skipped, details = excluded.details`,
      [follower, eventId, stream, isSkipped, details],
    )
  return (gone?.rowCount ?? 0) === removed.length
}
