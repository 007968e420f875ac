// How much each partner has asked in this minute, counted by all gateways together. Lost in a crash, which harms nobody.
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

export const partnerRequests: Migration = {
  up: async (db: Kysely<unknown>) => {
    // The columns are the library's (rate-limiter-flexible).
    await sql`create unlogged table headwater.partner_requests (
      key varchar(255) primary key,
      points integer not null default 0,
      expire bigint
    )`.execute(db)
  },
}
