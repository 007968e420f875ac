// The past in memory: after any of its events a stream's rows are those that the read model held then.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { sqliteQueries } from '@headwater/projections/model/queries'
import { stepOver } from '@headwater/projections/model/step'
import { rowsAfter } from '@headwater/projections/run/past'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { loans } from '@headwater/read-models/loan/loans'
import { close, logger, putIn, storedAt, storeId, tills } from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loanStories } from './loan-stories.ts'

const allLoans = sqliteQueries<{ loans: { loanId: string } }>().selectFrom('loans').selectAll().compile()

/** A read model `loans` on disk that takes in events in whatever batches. */
const startLoans = async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'past-'))
  const sink = openSqliteSink({ directory, projection: loans, logger })
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  let at = claimed
  const reader = openSqliteReader({ directory, projection: loans, logger })
  return {
    take: async (events: Parameters<typeof stepOver>[2]['events']) => {
      const step = stepOver(loans, at, { events, position: events.at(-1)?.position ?? at.position })
      expect(await sink.commit(step)).toBe('committed')
      at = step.to
    },
    rows: () => new Map(reader.rows(allLoans).value.map((row) => [row.loanId, row])),
    stop: async () => {
      reader.close()
      await sink.close()
      rmSync(directory, { recursive: true })
    },
  }
}

test('after every event the rows are those of the read model, however it was batched', async () => {
  await fc.assert(
    fc.asyncProperty(loanStories, fc.array(fc.integer({ min: 1, max: 5 })), async (events, sizes) => {
      const { take, rows, stop } = await startLoans()
      try {
        for (let taken = 0, batch = 0; taken < events.length; batch++) {
          const size = sizes[batch] ?? 1
          await take(events.slice(taken, taken + size))
          taken = Math.min(events.length, taken + size)
          expect(rowsAfter(loans, events.slice(0, taken)).loans).toEqual(rows())
        }
      } finally {
        await stop()
      }
    }),
    { numRuns: 40 },
  )
})

test('a row that was removed is gone, and comes back new', () => {
  const events = [putIn('a', 1), putIn('b', 2), close('a'), putIn('a', 5)].map((event, n) => storedAt(n + 1, event))
  const amountsAfter = (count: number) =>
    Object.fromEntries(
      [...rowsAfter(tills, events.slice(0, count)).tills.values()].map(({ tillId, amount }) => [tillId, amount]),
    )
  expect([0, 1, 2, 3, 4].map(amountsAfter)).toEqual([{}, { a: 1 }, { a: 1, b: 2 }, { b: 2 }, { b: 2, a: 5 }])
})

test('an event that this version does not know is refused, not left out', () => {
  const events = [storedAt(1, putIn('a', 1)), { ...storedAt(2, putIn('a', 1)), type: 'MoneyPaintedGreen' }]
  expect(() => rowsAfter(tills, events)).toThrow(expect.objectContaining({ code: 'unknown_event_type' }))
})
