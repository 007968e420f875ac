// Operator requests for the read models of a node, in a separate small file: it survives damage to theirs.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { type Wishes, wishDetails, wishFromRow } from '../operate/wishes.ts'
import { busyTimeoutMs } from './file.ts'

type WishRow = { readonly kind: string; readonly eventId: string; readonly details: string }

const schema = `
  create table if not exists wishes (
    follower text not null,
    kind text not null,
    eventId text not null,
    details text not null,
    primary key (follower, kind, eventId)
  ) strict`

/** @param follower the name of the read model's file, without its extension */
export const openSqliteWishes = (directory: string, follower: string): Wishes & { readonly close: () => void } => {
  let open: Database.Database | undefined
  const db = () => {
    if (open) return open
    mkdirSync(directory, { recursive: true })
    const opened = new Database(path.join(directory, 'wishes.sqlite'), { timeout: busyTimeoutMs })
    opened.pragma('journal_mode = wal')
    opened.exec(schema)
    open = opened
    return opened
  }
  return {
    all: async () =>
      db()
        .prepare<[string], WishRow>('select kind, eventId, details from wishes where follower = ? order by rowid')
        .all(follower)
        .map(wishFromRow),
    add: async (wish) =>
      db()
        .prepare('insert into wishes (follower, kind, eventId, details) values (?, ?, ?, ?) on conflict do nothing')
        .run(follower, wish.kind, wish.eventId, wishDetails(wish)).changes > 0,
    remove: async ({ kind, eventId }) =>
      db().prepare('delete from wishes where follower = ? and kind = ? and eventId = ?').run(follower, kind, eventId)
        .changes > 0,
    begin: async ({ kind, eventId }) =>
      db()
        .prepare(
          `update wishes set details = json_set(details, '$.isBegun', true)
           where follower = ? and kind = ? and eventId = ? and details ->> 'isBegun' is null`,
        )
        .run(follower, kind, eventId).changes > 0,
    note: async ({ kind, eventId }, progress) => {
      db()
        .prepare(
          `update wishes set details = json_set(details, '$.progress', json(?))
           where follower = ? and kind = ? and eventId = ?`,
        )
        .run(JSON.stringify(progress), follower, kind, eventId)
    },
    close: () => open?.close(),
  }
}
