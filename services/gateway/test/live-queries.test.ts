// Following the feed for all live queries: tried again when it cannot be read, and not at all when nobody follows.
import { createLogger } from '@headwater/http-kit/telemetry'
import { loans } from '@headwater/read-models/loans'
import type { Reader } from '@headwater/read-models/reader'
import { openSqliteReader } from '@headwater/read-models/sqlite-reader'
import { expect, onTestFinished, test } from 'vitest'
import { startLiveQueries } from '../src/live-queries.ts'
import { topics } from '../src/topics.ts'
import { newLoan, startEdge } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const silent = { restarted: () => undefined, changed: () => undefined, failed: () => undefined }

const start = async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const reader = openSqliteReader({ directory: edge.directory, projection: loans, logger })
  onTestFinished(reader.close)
  const feed = { reads: 0, fails: false }
  const watched: Reader = {
    ...reader,
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
  return { edge, reader, feed, queries, view }
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
