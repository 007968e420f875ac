// Many write at once while read models follow: the ids in the store are the ids that were projected, none missing, none twice.
// In the long form: WRITER_EVENTS=12500, of each of the 16 writers.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { start } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { beginning } from '@headwater/eventstore/position'
import { categoryOf } from '@headwater/eventstore/stream-name'
import { postgresQueries, sqliteQueries } from '@headwater/projections/model/queries'
import type { Sink } from '@headwater/projections/model/sink'
import { openPostgresReader } from '@headwater/projections/postgres/reader'
import { schemaName } from '@headwater/projections/postgres/schema'
import { openPostgresSink } from '@headwater/projections/postgres/sink'
import { startProjection } from '@headwater/projections/run/projection'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { testDatabase } from '@headwater/test-kit/database'
import { logger } from '@headwater/test-kit/toys/tills'
import { expect, onTestFinished, test } from 'vitest'
import { audit } from '../src/audit/audit.ts'
import type { Writing } from './writer.ts'

const threads = 4
const writersOfThread = 4
const eventsEach = Number(process.env.WRITER_EVENTS ?? 500)
const sharedStreams = ['patient-shared-1', 'patient-shared-2', 'patient-shared-3']
const pageEvents = 1_000
const deadlineMs = 60_000 + threads * writersOfThread * eventsEach

type Tables = { readonly entries: { readonly eventId: string } }

const sqlite = () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'every-event-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const reader = openSqliteReader({ directory, projection: audit, logger })
  onTestFinished(reader.close)
  const ids = sqliteQueries<Tables>().selectFrom('entries').select('eventId').compile()
  return { sink: openSqliteSink({ directory, projection: audit, logger }), ids: async () => reader.rows(ids).value }
}

const postgres = async () => {
  const { url, remove } = await testDatabase()
  onTestFinished(remove)
  const reader = openPostgresReader({ url, projection: audit, logger })
  onTestFinished(reader.close)
  const ids = postgresQueries<Tables>().withSchema(schemaName(audit)).selectFrom('entries').select('eventId').compile()
  const sink: Sink = openPostgresSink({ url, projection: audit, logger })
  return { sink, ids: async () => (await reader.rows(ids)).value }
}

const idsIn = async (store: EventStore): Promise<readonly string[]> => {
  const ids: string[] = []
  for (let from = beginning; ; ) {
    const page = await store.readAfter(from, pageEvents)
    ids.push(...page.filter(({ stream }) => categoryOf(stream) === 'patient').map(({ id }) => id))
    from = page.at(-1)?.position ?? from
    if (page.length < pageEvents) return ids
  }
}

test(
  `${threads * writersOfThread} writers, ${eventsEach} events each: what is in the store is in both read models, once`,
  async () => {
    const node = await start({ port: 0, memory: true })
    onTestFinished(() => node.stop())
    const store = connectEventStore({ url: node.connectionString, logger })
    onTestFinished(store.close)
    const places = [sqlite(), await postgres()]
    const projections = places.map(({ sink }) => startProjection({ store, sink, projection: audit, logger }))
    onTestFinished(async () => {
      for (const { stop } of projections) await stop()
    })

    const writing: Writing = { url: node.connectionString, writers: writersOfThread, eventsEach, sharedStreams }
    const written = Array.from({ length: threads }, async () => {
      const worker = new Worker(new URL('./writer.ts', import.meta.url), { workerData: writing })
      expect(await once(worker, 'message')).toEqual(['written'])
      await worker.terminate()
    })
    await Promise.all(written)

    const stored = (await idsIn(store)).toSorted()
    expect(stored).toHaveLength(threads * writersOfThread * eventsEach)
    expect(new Set(stored).size).toBe(stored.length)
    for (const { ids } of places) {
      await expect.poll(async () => (await ids()).length, { timeout: deadlineMs, interval: 200 }).toBe(stored.length)
      const projected = (await ids()).map(({ eventId }) => eventId).toSorted()
      // Not by a matcher that would print them all.
      expect(projected.findIndex((id, n) => id !== stored[n])).toBe(-1)
    }
  },
  deadlineMs,
)
