// Brings the tables that are not disposable to today's shape. Read models are: theirs are made anew, a version each.
import { Kysely, PostgresDialect } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Pool } from 'pg'
import { leases } from './migrations/001-leases.ts'
import { jobs } from './migrations/002-jobs.ts'
import { sessions } from './migrations/003-sessions.ts'
import { identity } from './migrations/004-identity.ts'
import { webhooks } from './migrations/005-webhooks.ts'
import { partnerRequests } from './migrations/006-partner-requests.ts'
import { people } from './migrations/007-people.ts'
import { jobsOfContexts } from './migrations/008-jobs-of-contexts.ts'
import { linksEnd } from './migrations/009-links-end.ts'
import { parkedEvents } from './migrations/010-parked-events.ts'
import { jobsSkipped } from './migrations/011-jobs-skipped.ts'
import { deadLetters } from './migrations/012-dead-letters.ts'
import { rolesOfPeople } from './migrations/013-roles-of-people.ts'
import { processes } from './migrations/014-processes.ts'

/** In this order, for ever: a migration that has been released is never changed or removed. */
export const migrations = {
  '001-leases': leases,
  '002-jobs': jobs,
  '003-sessions': sessions,
  '004-identity': identity,
  '005-webhooks': webhooks,
  '006-partner-requests': partnerRequests,
  '007-people': people,
  '008-jobs-of-contexts': jobsOfContexts,
  '009-links-end': linksEnd,
  '010-parked-events': parkedEvents,
  '011-jobs-skipped': jobsSkipped,
  '012-dead-letters': deadLetters,
  '013-roles-of-people': rolesOfPeople,
  '014-processes': processes,
}

const nothing: Migration = { up: async () => undefined }

/** Migrations of a newer release. The library would report them as missing; they only add, so this release still works. */
const newerMigrations = async (pool: Pool): Promise<Record<string, Migration>> => {
  const { rows: tables } = await pool.query(
    `select from pg_tables where schemaname = 'headwater' and tablename = 'migrations'`,
  )
  if (tables.length === 0) return {}
  const { rows } = await pool.query<{ name: string }>('select name from headwater.migrations')
  return Object.fromEntries(rows.flatMap(({ name }) => (name in migrations ? [] : [[name, nothing]])))
}

/** Safe to call from several processes at once; the others wait. */
export const migrate = async (pool: Pool): Promise<void> => {
  const known = { ...migrations, ...(await newerMigrations(pool)) }
  const migrator = new Migrator({
    // The pool stays open: this Kysely is never destroyed.
    db: new Kysely({ dialect: new PostgresDialect({ pool }) }),
    provider: { getMigrations: async () => known },
    migrationTableSchema: 'headwater',
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
  })
  const { error } = await migrator.migrateToLatest()
  if (error) throw error
}

/** Runs `work` until it succeeds once; concurrent calls share one attempt. */
export const onceDone = (work: () => Promise<void>): (() => Promise<void>) => {
  let trying: Promise<void> | undefined
  return () => {
    trying ??= work().catch((error: unknown) => {
      trying = undefined
      throw error
    })
    return trying
  }
}
