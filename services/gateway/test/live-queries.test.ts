// Following the feed for all live queries: tried again when it cannot be read, and not at all when nobody follows.
import { createLogger } from '@headwater/http-kit/telemetry'
import { loans } from '@headwater/read-models/loans'
import { openSqliteReader, type SqliteReader } from '@headwater/read-models/sqlite-reader'
import { expect, onTestFinished, test } from 'vitest'
import { startLiveQueries } from '../src/live-queries.ts'
import { topics } from '../src/topics.ts'
import { newLoan, startEdge } from './support.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

const start = async () => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const reader = openSqliteReader({ directory: edge.directory, projection: loans, logger })
  onTestFinished(reader.close)
  const feed = { reads: 0, fails: false }
  const watched: SqliteReader = {
    ...reader,
    changesSince: (token, limit) => {
      feed.reads++
      if (feed.fails) throw new Error('The disk is in trouble.')
      return reader.changesSince(token, limit)
    },
  }
  const queries = startLiveQueries(watched, logger)
  onTestFinished(queries.stop)
  const view = topics.get('loans')?.({}, 'public')
  if (!view) throw new Error('There is no topic of loans.')
  return { edge, reader, feed, queries, view }
}

test('a feed that cannot be read is read again until it can, without another commit', async () => {
  const { edge, feed, queries, view } = await start()
  const told: string[] = []
  queries.follow(view, (ops) => void told.push(...ops.keys()))
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
  const followed = queries.follow(view, () => undefined)
  reader.onCommit(() => commits++)
  followed.stop()
  const write = async () => {
    const [before, reads] = [commits, feed.reads]
    await edge.write(newLoan())
    await expect.poll(() => commits, { timeout: 10_000 }).toBeGreaterThan(before)
    expect(feed.reads).toBe(reads)
  }
  await write()
  queries.follow(view, () => undefined)
  queries.stop()
  await write()
})
