// What the tests of both stores share: a small projection, its events, and each store behind the same few questions.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCodec, type StoredEvent } from '@headwater/eventstore/codec'
import type { Position } from '@headwater/eventstore/position'
import type { Changes, Snapshot } from '@headwater/projections/model/changes'
import type { Projection } from '@headwater/projections/model/projection'
import { postgresQueries, sqliteQueries } from '@headwater/projections/model/queries'
import type { Sink } from '@headwater/projections/model/sink'
import { openPostgresReader } from '@headwater/projections/postgres/reader'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import Database from 'better-sqlite3'
import pino from 'pino'
import { testDatabase } from '../database.ts'

export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

export type TillEvent =
  | { type: 'MoneyPutIn'; data: { tillId: string; amount: number; note?: string } }
  | { type: 'TillClosed'; data: { tillId: string } }
  | { type: 'TillBroken'; data: { tillId: string } }

export type TillRow = {
  readonly tillId: string
  readonly amount: number
  readonly note: string | null
  readonly revision: number
}

/** Of a category of its own, so that tests on one store do not see each other's events. */
export const tillsOf = (category: string): Projection<TillEvent, { readonly tills: TillRow }> => ({
  name: 'tills',
  version: 1,
  categories: [category],
  codec: createCodec<TillEvent>({
    events: { schemas: { MoneyPutIn: true, TillClosed: true, TillBroken: true }, upcasts: {} },
  }),
  tables: {
    tills: {
      key: 'tillId',
      columns: { tillId: 'text', amount: 'integer', note: 'text or null', revision: 'integer' },
      indexes: [['amount', 'tillId']],
      topicColumns: ['note'],
    },
  },
  owned: { tills: { column: 'tillId' } },
  keys: (event) => ({ tills: [event.data.tillId] }),
  project: (event, { tills }) => {
    const { tillId } = event.data
    switch (event.type) {
      case 'MoneyPutIn': {
        const { amount, note = null } = event.data
        const before = tills.get(tillId)?.amount ?? 0
        return tills.set(tillId, { tillId, amount: before + amount, note, revision: Number(event.revision) })
      }
      case 'TillClosed':
        return tills.remove(tillId)
      case 'TillBroken':
        throw new Error('a broken till')
    }
  },
})

export const tills = tillsOf('till')

export const storeId = '5b0e2c0e-6a3c-4a5e-9d55-0d6f4c1f2a10'

export const at = (place: number | bigint): Position => ({ commit: BigInt(place), prepare: BigInt(place) })

/** An event as the store would hand it over, at a made-up place. */
export const storedAt = (place: number | bigint, event: TillEvent, revision = 0n): StoredEvent => ({
  id: randomUUID(),
  stream: `till-${event.data.tillId}`,
  revision,
  position: at(place),
  type: event.type,
  data: event.data,
  metadata: {},
  recordedAt: new Date(),
})

/** The last event of a deleted stream, as the store would hand it over. */
export const deletedAt = (place: number | bigint, stream: string): StoredEvent => ({
  id: randomUUID(),
  stream,
  revision: 9_223_372_036_854_775_807n,
  position: at(place),
  type: '$streamDeleted',
  data: new Uint8Array(),
  metadata: {},
  recordedAt: new Date(),
})

export const putIn = (tillId: string, amount: number): TillEvent => ({ type: 'MoneyPutIn', data: { tillId, amount } })
export const close = (tillId: string): TillEvent => ({ type: 'TillClosed', data: { tillId } })

/** Waits until `check` holds. The deadline is a limit, not a measurement. */
export const until = async (what: string, check: () => boolean | Promise<boolean>, deadlineMs = 20_000) => {
  const deadline = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Still waiting after ${deadlineMs} ms: ${what}`)
    await sleep(10)
  }
}

/** One place that holds a read model, as its writers and readers meet it. */
export type Place = {
  readonly openSink: (projection?: typeof tills) => Sink
  readonly rows: () => Promise<Snapshot<readonly TillRow[]>>
  readonly changesSince: (token: string, limit?: number) => Promise<Changes | 'snapshot needed'>
  readonly waitFor: (position: Position, timeoutMs: number) => Promise<boolean>
  readonly onCommit: (listener: () => void) => () => void
  /** Makes writing impossible, or ends what is being written; the answer makes it possible again. */
  readonly interrupt: () => Promise<() => Promise<void>>
  /** The list of parked events takes no more; the answer makes it take them again. */
  readonly refuseParking: () => Promise<() => Promise<void>>
  /** What an operator does to have the read model built again. */
  readonly drop: () => Promise<void>
  /** What is there beside the read model that serves. */
  readonly leftovers: () => Promise<readonly string[]>
  readonly remove: () => Promise<void>
}

const sqlitePlace = async (): Promise<Place> => {
  const directory = mkdtempSync(path.join(tmpdir(), 'read-models-'))
  const reader = openSqliteReader({ directory, projection: tills, logger })
  const all = sqliteQueries<{ tills: TillRow }>().selectFrom('tills').selectAll().orderBy('tillId').compile()
  return {
    openSink: (projection = tills) => openSqliteSink({ directory, projection, logger }),
    rows: async () => reader.read((db) => db.rows(all)),
    changesSince: async (token, limit = 1_000) => reader.changesSince(token, limit),
    waitFor: reader.waitFor,
    onCommit: reader.onCommit,
    interrupt: async () => {
      const other = new Database(path.join(directory, 'tills.v1.sqlite'))
      other.exec('begin immediate')
      return async () => {
        other.close()
      }
    },
    refuseParking: async () => {
      const other = new Database(path.join(directory, 'tills.v1.sqlite'))
      const change = async (sql: string) => void other.exec(sql)
      await change("create trigger broken before insert on parked begin select raise(abort, 'broken'); end")
      return async () => {
        await change('drop trigger broken')
        other.close()
      }
    },
    drop: async () => {
      for (const ending of ['', '-wal', '-shm'])
        rmSync(path.join(directory, `tills.v1.sqlite${ending}`), { force: true })
    },
    leftovers: async () => readdirSync(directory).filter((name) => name.includes('rebuild') || name.includes('link')),
    remove: async () => {
      reader.close()
      rmSync(directory, { recursive: true })
    },
  }
}

const postgresPlace = async (): Promise<Place> => {
  const { url, client, interrupt, remove } = await testDatabase()
  const reader = openPostgresReader({ url, projection: tills, logger })
  const all = postgresQueries<{ tills: TillRow }>()
    .withSchema('tills_v1')
    .selectFrom('tills')
    .selectAll()
    .orderBy('tillId')
    .compile()
  return {
    openSink: (projection = tills) => openPostgresSink({ url, projection, logger }),
    rows: () => reader.read((db) => db.rows(all)),
    changesSince: (token, limit = 1_000) => reader.changesSince(token, limit),
    waitFor: reader.waitFor,
    onCommit: reader.onCommit,
    interrupt,
    refuseParking: async () => {
      await client.query(
        `create function broken() returns trigger language plpgsql as $$ begin raise exception 'broken'; end $$;
         create trigger broken before insert on headwater.parked_events execute function broken()`,
      )
      return async () => {
        await client.query('drop function broken cascade')
      }
    },
    drop: async () => {
      await client.query('drop schema if exists tills_v1 cascade')
    },
    leftovers: async () => {
      const text = "select nspname from pg_namespace where nspname like 'tills_v1_%'"
      return (await client.query<{ nspname: string }>(text)).rows.map(({ nspname }) => nspname)
    },
    remove: async () => {
      await reader.close()
      await remove()
    },
  }
}

export const places = { SQLite: sqlitePlace, Postgres: postgresPlace }
