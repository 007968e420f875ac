// Where each kind of consequence is, the processes that are not over, queues and merging of jobs, and what is due by the clock.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const processes: Migration = {
  up: async (db: Kysely<unknown>) => {
    await sql`create table headwater.followed_kinds (
      follower text not null,
      kind text not null,
      commit_position bigint not null,
      prepare_position bigint not null,
      start_commit bigint,
      start_prepare bigint,
      primary key (follower, kind)
    )`.execute(db)
    await sql`create table headwater.processes (
      stream text primary key,
      process text not null,
      since timestamptz not null default now(),
      due_at timestamptz,
      trouble text
    )`.execute(db)
    await sql`alter table headwater.jobs add column queue text, add column is_merged bool not null default false`.execute(
      db,
    )
    await sql`create table headwater.schedules (name text primary key, last_period bigint not null)`.execute(db)
    await sql`create index processes_trouble on headwater.processes (since) where trouble is not null`.execute(db)
  },
}
