// Parked jobs that operators went on without: who did, when and why.
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export const jobsSkipped: Migration = {
  up: async (db: Kysely<unknown>) => {
    await db.schema
      .withSchema('headwater')
      .alterTable('jobs')
      .addColumn('skipped_at', 'timestamptz')
      .addColumn('skipped_by', 'text')
      .addColumn('skip_reason', 'text')
      .execute()
  },
}
