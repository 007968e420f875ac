// The table of people's names: what whoever has signed in is called by those who see what they did.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const people: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .withSchema('headwater')
      .createTable('people')
      .addColumn('sub', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('seen_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .execute()
  },
}
