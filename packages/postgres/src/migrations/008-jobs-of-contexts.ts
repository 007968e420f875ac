// Jobs of whatever context: what each is about as JSON, timers of which there is one at a time, and what was sent outside.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const jobsOfContexts: Migration = {
  up: async (db: Kysely<unknown>) => {
    const jobs = db.schema.withSchema('headwater')
    await jobs
      .alterTable('jobs')
      .addColumn('subject', 'jsonb', (column) => column.notNull().defaultTo(sql`'{}'`))
      .addColumn('timer', 'text')
      .addColumn('replaced_at', 'timestamptz')
      .addColumn('sends', 'int2', (column) => column.notNull().defaultTo(0))
      .execute()
    await sql`update headwater.jobs set subject = jsonb_build_object('loanId', loan_id)`.execute(db)
    await jobs.alterTable('jobs').dropColumn('loan_id').execute()
    await sql`create index jobs_timers on headwater.jobs (timer) where timer is not null and done_at is null`.execute(
      db,
    )
  },
}
