// The tables of services/jobs: how far it has followed the events, every job there ever was, and which workers live.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const jobs: Migration = {
  up: async (db: Kysely<unknown>) => {
    const schema = db.schema.withSchema('headwater')
    await schema
      .createTable('followers')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('commit_position', 'bigint', (column) => column.notNull())
      .addColumn('prepare_position', 'bigint', (column) => column.notNull())
      .addColumn('event_id', 'text')
      .addColumn('event_commit', 'bigint')
      .addColumn('event_prepare', 'bigint')
      .addColumn('store_id', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .execute()
    // Rows stay when their jobs are done: that is how an event that comes again is known.
    await schema
      .createTable('jobs')
      .addColumn('id', 'uuid', (column) => column.primaryKey()) // named by event and kind
      .addColumn('event_id', 'uuid', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('stream', 'text', (column) => column.notNull())
      .addColumn('loan_id', 'uuid', (column) => column.notNull())
      .addColumn('traceparent', 'text')
      .addColumn('run_at', 'timestamptz', (column) => column.notNull())
      .addColumn('entered_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .addColumn('done_at', 'timestamptz')
      .addColumn('parked_at', 'timestamptz')
      .addColumn('error', 'text')
      .execute()
    await sql`create index jobs_parked on headwater.jobs (parked_at) where parked_at is not null`.execute(db)
    await schema
      .createTable('job_workers')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('seen_at', 'timestamptz', (column) => column.notNull())
      .execute()
  },
}
