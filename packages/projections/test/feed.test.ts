// Whoever follows the change feed sees what the query would answer, whichever node they turn to and however it batches.
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

/** A run in Postgres makes two databases. */
const runs = { SQLite: 50, Postgres: 5 }

const event = fc
  .tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean())
  .map(([tillId, closes]) => (closes ? close(tillId) : putIn(tillId, 1)))
const scenario = fc.record({
  events: fc.array(event, { minLength: 4, maxLength: 20 }),
  batchSizes: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
  /** Where the follower begins, and where they leave the first node; as shares of the events. */
  moments: fc.tuple(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 10 })),
})

/** A node with a read model of its own, which takes in `events` up to a count. */
const openNode = async (place: Place, events: readonly StoredEvent[], batchSize: number) => {
  const sink = place.openSink()
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  let checkpoint = claimed
  const takeIn = async (count: number) => {
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
  return { place, takeIn, remove }
}

const matches = (row: TillRow) => row.amount % 2 === 1
const answerOf = async (place: Place) => {
  const { value, token } = await place.rows()
  return { picture: new Map(value.filter(matches).map((row) => [row.tillId, row])), token }
}

/** Brings a picture up to date by the feed alone, and returns the token to go on from. */
const follow = async (place: Place, picture: Map<string, TillRow>, from: string): Promise<string> => {
  const next = await place.changesSince(from)
  if (next === 'snapshot needed') throw new Error(next)
  for (const { key, after } of next.changes) {
    const row = after as TillRow | null
    if (row && matches(row)) picture.set(key, row)
    else picture.delete(key)
  }
  return next.token
}

test.each(['SQLite', 'Postgres'] as const)('%s', async (name) => {
  const holds = fc.asyncProperty(scenario, async ({ events, batchSizes, moments }) => {
    const stored = events.map((event, n) => storedAt(n + 1, event))
    const [begins, leaves] = moments
      .map((share) => Math.floor((share * stored.length) / 10))
      .sort((one, other) => one - other)
    const one = await openNode(await places[name](), stored, batchSizes[0])
    const other = await openNode(await places[name](), stored, batchSizes[1])

    await one.takeIn(begins ?? 0)
    const { picture, token } = await answerOf(one.place)
    await one.takeIn(leaves ?? 0)
    const left = await follow(one.place, picture, token)
    expect(picture).toEqual((await answerOf(one.place)).picture)

    await other.takeIn(stored.length)
    await follow(other.place, picture, left)
    expect(picture).toEqual((await answerOf(other.place)).picture)

    await one.remove()
    await other.remove()
  })
  await fc.assert(holds, { numRuns: runs[name] })
})
