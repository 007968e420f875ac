// The tables of partners' webhooks: where each wants to be told, and every message there ever was, with what became of it.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const webhooks: Migration = {
  up: async (db: Kysely<unknown>) => {
    const schema = db.schema.withSchema('headwater')
    await schema
      .createTable('webhooks')
      .addColumn('id', 'uuid', (column) => column.primaryKey())
      .addColumn('partner', 'text', (column) => column.notNull())
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('registered_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .addColumn('registered_by', 'text', (column) => column.notNull())
      .addColumn('disabled_at', 'timestamptz')
      // The secret itself is made from this and a key that is not here.
      .addColumn('secret_version', 'integer', (column) => column.notNull().defaultTo(1))
      .addColumn('secret_rotated_at', 'timestamptz')
      .execute()
    await sql`create index webhooks_partner on headwater.webhooks (partner)`.execute(db)
    await schema
      .createTable('webhook_deliveries')
      .addColumn('id', 'uuid', (column) => column.primaryKey()) // named by event and webhook
      .addColumn('webhook_id', 'uuid', (column) => column.notNull().references('headwater.webhooks.id'))
      .addColumn('loan_id', 'uuid', (column) => column.notNull())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('body', 'text', (column) => column.notNull())
      .addColumn('entered_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .addColumn('give_up_at', 'timestamptz', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('tried_at', 'timestamptz')
      .addColumn('status', 'integer')
      .addColumn('error', 'text')
      .addColumn('delivered_at', 'timestamptz')
      .addColumn('parked_at', 'timestamptz')
      .execute()
    await sql`create index webhook_deliveries_log on headwater.webhook_deliveries (webhook_id, entered_at desc)`.execute(
      db,
    )
    await sql`create index webhook_deliveries_open on headwater.webhook_deliveries (webhook_id, parked_at)
      where delivered_at is null`.execute(db)
  },
}
