// Adds to the jobs' checkpoint the events that could not be parked, and the number of events with replaced text.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const deadLetters: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql`alter table headwater.followers
      add column dead_letters text not null default '[]',
      add column replaced_texts bigint not null default 0`.execute(db)
  },
}
