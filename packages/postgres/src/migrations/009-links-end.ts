// A link to come back gives what its maker held, and for no longer than its maker held it.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const linksEnd: Migration = {
  up: async (db: Kysely<unknown>) => {
    // Of links that are out when this comes nobody knows: they are good for a month at most, and give three.
    await sql`alter table headwater.return_links
      add column capability_until timestamptz not null default now() + interval '90 days'`.execute(db)
    await sql`alter table headwater.return_links alter column capability_until drop default`.execute(db)
    // Links of one loan may end together: which is the oldest is told by when they were made.
    await sql`alter table headwater.return_links
      add column created_at timestamptz not null default clock_timestamp()`.execute(db)
  },
}
