// What the jobs' checkpoint knows besides: events that could not even be parked, and how many had text that was replaced.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const deadLetters: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql`alter table headwater.followers
      add column dead_letters text not null default '[]',
      add column replaced_texts bigint not null default 0`.execute(db)
  },
}
