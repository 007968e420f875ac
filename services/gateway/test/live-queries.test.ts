// Following the feed for all live queries: tried again when it cannot be read, and not at all when nobody follows.
import { createLogger } from '@headwater/http-kit/telemetry/telemetry'
import { startLiveQueries } from '@headwater/live/live-queries'
import type { Ops } from '@headwater/live/result-window'
import type { Snapshot } from '@headwater/projections/model/changes'
import type { Query, Reader } from '@headwater/projections/model/reader'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { loans } from '@headwater/read-models/loan/loans'
import { expect, onTestFinished, test } from 'vitest'
import { topics } from '../src/live/topics.ts'
import { newLoan, startEdge } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const silent = { restarted: () => undefined, changed: () => undefined, failed: () => undefined }

const start = async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const reader = openSqliteReader({ directory: edge.directory, projection: loans, logger })
  onTestFinished(reader.close)
  const feed = { reads: 0, fails: false }
  /** As they were: a Postgres that has crashed has lost its last commits, until they are done again. */
  const old: { rows: Snapshot<unknown[]> | undefined } = { rows: undefined }
  const watched: Reader = {
    ...reader,
    rows: <R>(query: Query<R>) => (old.rows as Snapshot<R[]> | undefined) ?? reader.rows(query),
    changesSince: (token, limit) => {
      feed.reads++
      if (feed.fails) throw new Error('The disk is in trouble.')
      return reader.changesSince(token, limit)
    },
  }
  const queries = startLiveQueries(watched, logger)
  onTestFinished(queries.stop)
  const view = topics
    .get('loans')
    ?.open({}, [{ actor: { kind: 'person', sub: 'alice', roles: [], scopes: [] }, permission: 'if owner' }])
  if (!view || typeof view === 'string') throw new Error('There is no topic of loans.')
  return { edge, reader, feed, old, queries, view }
}

test('a feed that cannot be read is read again until it can, without another commit', async () => {
  const { edge, feed, queries, view } = await start()
  const told: string[] = []
  const begun = Promise.withResolvers<void>()
  queries.follow(view, { ...silent, restarted: begun.resolve, changed: (ops) => void told.push(...ops.keys()) })
  await begun.promise
  feed.fails = true
  const before = feed.reads
  const loan = newLoan()
  await edge.write(loan)
  await expect.poll(() => feed.reads, { timeout: 10_000 }).toBeGreaterThan(before + 1)
  expect(told).toEqual([])
  feed.fails = false
  await expect.poll(() => told, { timeout: 10_000 }).toEqual([loan.loanId])
})

test('a client that comes back after rows were removed hears of its own alone', async () => {
  const { edge, queries, view } = await start()
  const [loan, foreign] = [newLoan(), newLoan({ requestedById: 'bob' })]
  await edge.write(loan)
  await edge.write(foreign)
  const begun = Promise.withResolvers<void>()
  const followed = queries.follow(view, { ...silent, restarted: begun.resolve })
  await begun.promise
  const [before, rows] = [followed.token(), followed.rows()]
  expect(rows).toHaveLength(1)
  await edge.removeRow(loan.loanId)
  await edge.removeRow(foreign.loanId)
  await expect.poll(followed.rows).toEqual([])
  const again = Promise.withResolvers<readonly string[]>()
  const sent = { restarted: () => again.resolve(['all rows']), changed: (ops: Ops) => again.resolve([...ops.values()]) }
  const back = queries.follow(view, { ...silent, ...sent }, before)
  expect((await again.promise).map((op) => JSON.parse(op))).toEqual([{ op: 'remove', key: loan.loanId }])
  expect(back.rows()).toEqual([])
})

test('when the last follower has gone, or all is stopped, nothing is read any more', async () => {
  const { edge, reader, feed, queries, view } = await start()
  let commits = 0
  const begun = Promise.withResolvers<void>()
  const followed = queries.follow(view, { ...silent, restarted: begun.resolve })
  await begun.promise
  reader.onCommit(() => commits++)
  followed.stop()
  const write = async () => {
    const [before, reads] = [commits, feed.reads]
    await edge.write(newLoan())
    await expect.poll(() => commits, { timeout: 10_000 }).toBeGreaterThan(before)
    expect(feed.reads).toBe(reads)
  }
  await write()
  const again = Promise.withResolvers<void>()
  queries.follow(view, { ...silent, restarted: again.resolve })
  await again.promise
  await queries.stop()
  await write()
})

test('who begins with rows that are older than what was told before is told all that they lack', async () => {
  const { edge, reader, old, queries, view } = await start()
  const follow = async (followed: typeof view) => {
    const told: string[] = []
    const begun = Promise.withResolvers<void>()
    queries.follow(followed, { ...silent, restarted: begun.resolve, changed: (ops) => void told.push(...ops.keys()) })
    await begun.promise
    return told
  }
  const first = await follow(view)
  const before = reader.rows(view.first(1))
  const [loan, later] = [newLoan(), newLoan()]
  await edge.write(loan)
  await expect.poll(() => first).toEqual([loan.loanId])

  old.rows = before
  const second = await follow({ ...view, name: 'of somebody else' })
  old.rows = undefined
  await edge.write(later)
  await expect.poll(() => second).toEqual([loan.loanId, later.loanId])
  expect(first.at(-1)).toBe(later.loanId)
})
