// Adds the roles of a person's last sign-in, because services ask whether a person exists.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const rolesOfPeople: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .withSchema('headwater')
      .alterTable('people')
      // Null until they sign in again: their roles are not known yet.
      .addColumn('roles', sql`text[]`)
      // A person without a name can sign in, too.
      .alterColumn('name', (column) => column.dropNotNull())
      .execute()
  },
}
