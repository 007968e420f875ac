// A client that follows the change feed has the rows that the query would return, on any node and with any batches.
import type { StoredEvent } from '@headwater/eventstore/codec'
import {
  at,
  close,
  type Place,
  places,
  putIn,
  storedAt,
  storeId,
  type TillRow,
  tills,
} from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stepOver } from '../src/model/step.ts'

/** A run in Postgres creates two databases. */
const runs = { SQLite: 50, Postgres: 5 }

const event = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean())
  .map(([tillId, closes]) => (closes ? close(tillId) : putIn(tillId, 1)))
const scenario = fc.record({
  events: fc.array(event, { minLength: 4, maxLength: 20 }),
  batchSizes: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
  /** Where the client starts, and where it leaves the first node; as tenths of the events. */
  moments: fc.tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 10 })),
})

/** A node with its own read model, which projects `events` up to a count. */
const openNode = async (place: Place, events: readonly StoredEvent[], batchSize: number) => {
  const sink = place.openSink()
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  let checkpoint = claimed
  const projectUpTo = async (count: number) => {
    for (let n = Number(checkpoint.position.commit); n < count; n += batchSize) {
      const batch = events.slice(n, Math.min(n + batchSize, count))
      const step = stepOver(tills, checkpoint, { events: batch, position: at(n + batch.length) })
      expect(await sink.commit(step)).toBe('committed')
      checkpoint = step.to
    }
  }
  const remove = async () => {
    await sink.close()
    await place.remove()
  }
  return { place, projectUpTo, remove }
}

const matches = (row: TillRow) => row.amount % 2 === 1
const answerOf = async (place: Place) => {
  const { value, token } = await place.rows()
  return { picture: new Map(value.filter(matches).map((row) => [row.tillId, row])), token }
}

/** Updates rows from the feed alone, and returns the next token. */
const follow = async (place: Place, picture: Map<string, TillRow>, from: string): Promise<string> => {
  const next = await place.changesSince(from)
  if (next === 'snapshot needed') throw new Error(next)
  for (const change of next.changes) {
    if (!('key' in change)) throw new Error('No step of this test changes so many rows.')
    const { key } = change
    const row = change.after as TillRow | null
    if (row && matches(row)) picture.set(key, row)
    else picture.delete(key)
  }
  return next.token
}

test.each(['SQLite', 'Postgres'] as const)('the change feed leads to the rows of the query in %s', async (name) => {
  const holds = fc.asyncProperty(scenario, async ({ events, batchSizes, moments }) => {
    const stored = events.map((event, n) => storedAt(n + 1, event))
    const [begins, leaves] = moments
      .map((share) => Math.floor((share * stored.length) / 10))
      .sort((one, other) => one - other)
    const one = await openNode(await places[name](), stored, batchSizes[0])
    const other = await openNode(await places[name](), stored, batchSizes[1])

    await one.projectUpTo(begins ?? 0)
    const { picture, token } = await answerOf(one.place)
    await one.projectUpTo(leaves ?? 0)
    const left = await follow(one.place, picture, token)
    expect(picture).toEqual((await answerOf(one.place)).picture)

    await other.projectUpTo(stored.length)
    await follow(other.place, picture, left)
    expect(picture).toEqual((await answerOf(other.place)).picture)

    await one.remove()
    await other.remove()
  })
  await fc.assert(holds, { numRuns: runs[name] })
})
