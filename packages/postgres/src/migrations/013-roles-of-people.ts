// In which roles people last signed in: services ask whether there is such a person.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const rolesOfPeople: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .withSchema('headwater')
      .alterTable('people')
      // Null until they sign in again: their roles are not known yet.
      .addColumn('roles', sql`text[]`)
      // Who signs in without a name is there all the same.
      .alterColumn('name', (column) => column.dropNotNull())
      .execute()
  },
}
