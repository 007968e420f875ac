// The tables of services/identity: password hashes, what the issuer keeps (sealed), its signing keys (sealed), and tries to sign in.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const identity: Migration = {
  up: async (db: Kysely<unknown>) => {
    const schema = db.schema.withSchema('headwater')
    await schema
      .createTable('credentials')
      .addColumn('user_id', 'uuid', (column) => column.primaryKey())
      .addColumn('password_hash', 'text', (column) => column.notNull())
      .addColumn('changed_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .execute()
    // Sessions, grants, codes, refresh tokens. Their ids open doors: here are hashes of them.
    await schema
      .createTable('issuer_records')
      .addColumn('model', 'text', (column) => column.notNull())
      .addColumn('id_hash', 'text', (column) => column.notNull())
      .addColumn('payload', 'text', (column) => column.notNull())
      .addColumn('uid', 'text')
      .addColumn('grant_id', 'text')
      .addColumn('account_id', 'text')
      .addColumn('expires_at', 'timestamptz')
      .addColumn('consumed_at', 'timestamptz')
      .addPrimaryKeyConstraint('issuer_records_pkey', ['model', 'id_hash'])
      .execute()
    for (const column of ['uid', 'grant_id', 'account_id', 'expires_at'])
      await sql`create index ${sql.ref(`issuer_records_${column}`)} on headwater.issuer_records (${sql.ref(column)})
                where ${sql.ref(column)} is not null`.execute(db)
    await schema
      .createTable('issuer_keys')
      .addColumn('kid', 'text', (column) => column.primaryKey())
      .addColumn('jwk', 'text', (column) => column.notNull())
      .addColumn('made_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
      .execute()
    // As the library that counts them wants it.
    await schema
      .createTable('sign_in_tries')
      .addColumn('key', 'varchar(255)', (column) => column.primaryKey())
      .addColumn('points', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('expire', 'bigint')
      .execute()
  },
}
