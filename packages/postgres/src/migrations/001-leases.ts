// The table of leases: who may do what only one may do, and until when by this server's clock.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const leases: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .withSchema('headwater')
      .createTable('leases')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('holder', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull().check(sql`epoch > 0`))
      .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
      .execute()
  },
}
