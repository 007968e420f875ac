// Events that a follower which keeps its checkpoint in Postgres could not take in, and what operators wish of followers.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const parkedEvents: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql`create table headwater.parked_events (
      follower text not null,
      event_id text not null,
      stream text not null,
      is_skipped bool not null,
      details text not null,
      primary key (follower, event_id)
    )`.execute(db)
    await sql`create table headwater.wishes (
      follower text not null,
      kind text not null,
      event_id text not null,
      details jsonb not null,
      primary key (follower, kind, event_id)
    )`.execute(db)
  },
}
