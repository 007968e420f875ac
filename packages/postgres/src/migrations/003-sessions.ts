// The tables of signing in: who is signed in, and the links that bring applicants back to their application.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const sessions: Migration = {
  up: async (db: Kysely<unknown>) => {
    const schema = db.schema.withSchema('headwater')
    // Keys are hashes: who reads the tables cannot take a session or follow a link.
    await schema
      .createTable('sessions')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('sub', 'text', (column) => column.notNull())
      .addColumn('sealed', 'bytea', (column) => column.notNull()) // the tokens and the name, encrypted
      .addColumn('refresh_at', 'timestamptz', (column) => column.notNull())
      .addColumn('token_expires_at', 'timestamptz', (column) => column.notNull())
      .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .addColumn('seen_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .execute()
    await sql`create index sessions_seen on headwater.sessions (seen_at)`.execute(db)
    await schema
      .createTable('return_links')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('loan_id', 'uuid', (column) => column.notNull())
      .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
      .execute()
    await sql`create index return_links_of_loan on headwater.return_links (loan_id)`.execute(db)
  },
}
