// The promises of both stores for rows, change feed and checkpoint, tested with batches made by hand.
import { inspect } from 'node:util'
import {
  at,
  close,
  type Place,
  places,
  putIn,
  storedAt,
  storeId,
  type TillEvent,
  tills,
  tillsOf,
} from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { feedLengthMax, tableChangesMax } from '../src/model/changes.ts'
import type { Checkpoint, Sink } from '../src/model/sink.ts'
import { BadEvent, stepOver } from '../src/model/step.ts'

describe.each(Object.entries(places))('%s', (_name, openPlace) => {
  let place: Place
  let sink: Sink
  let checkpoint: Checkpoint

  const claim = async (by: Sink): Promise<Checkpoint> => {
    const claimed = await by.claim(storeId)
    if (!claimed) throw new Error('The claim was refused.')
    return claimed
  }

  /** Commits events after the checkpoint, or only moves the checkpoint. */
  const commit = async (events: readonly TillEvent[], to = checkpoint.position.commit + BigInt(events.length || 1)) => {
    const first = checkpoint.position.commit + 1n
    const batch = { events: events.map((event, n) => storedAt(first + BigInt(n), event, BigInt(n))), position: at(to) }
    const step = stepOver(tills, checkpoint, batch)
    expect(await sink.commit(step)).toBe('committed')
    checkpoint = step.to
  }

  beforeEach(async () => {
    place = await openPlace()
    sink = place.openSink()
    checkpoint = await claim(sink)
  })
  afterEach(async () => {
    await sink.close()
    await place.remove()
  })

  const tokenNow = async () => (await place.rows()).token

  const changesSince = async (token: string, limit?: number) => {
    const changes = await place.changesSince(token, limit)
    if (changes === 'snapshot needed') throw new Error(changes)
    return changes
  }

  test('rows, feed and checkpoint move together', async () => {
    const before = await tokenNow()
    await commit([putIn('a', 1), putIn('b', 2), putIn('a', 3)])
    const { value, checkpoint: reached, token } = await place.rows()
    expect(value).toEqual([
      { tillId: 'a', amount: 4, note: null, revision: 2 },
      { tillId: 'b', amount: 2, note: null, revision: 1 },
    ])
    expect(reached).toEqual(at(3))
    const { changes, token: next } = await changesSince(before)
    expect(changes).toEqual([
      { table: 'tills', key: 'a', after: { tillId: 'a', amount: 4, note: null, revision: 2 }, before: null },
      { table: 'tills', key: 'b', after: { tillId: 'b', amount: 2, note: null, revision: 1 }, before: null },
    ])
    expect(next).toBe(token)
    expect((await sink.checkpoint()).lastEvent?.position).toEqual(at(3))
  })

  const noted = (tillId: string, note: string): TillEvent => ({ type: 'MoneyPutIn', data: { tillId, amount: 1, note } })

  test('a removed row is in the feed with its topic columns, also when it was made in the same batch', async () => {
    await commit([noted('a', 'of alice')])
    const token = await tokenNow()
    await commit([noted('b', 'of bob'), close('b'), close('a')])
    expect((await place.rows()).value).toEqual([])
    expect((await changesSince(token)).changes).toEqual([
      { table: 'tills', key: 'b', after: null, before: { note: 'of bob' } },
      { table: 'tills', key: 'a', after: null, before: { note: 'of alice' } },
    ])
  })

  test('a row that moves is in the feed with its topic columns before and after', async () => {
    await commit([noted('a', 'of alice')])
    const token = await tokenNow()
    await commit([noted('a', 'of bob')])
    const change = { key: 'a', before: { note: 'of alice' }, after: { note: 'of bob' } }
    expect((await changesSince(token)).changes).toMatchObject([change])
  })

  test(`more than ${tableChangesMax} changed rows of a table are one entry of the feed`, async () => {
    const token = await tokenNow()
    await commit(Array.from({ length: tableChangesMax + 1 }, (_, n) => putIn(`${n}`, 1)))
    expect(await changesSince(token)).toMatchObject({
      changes: [{ table: 'tills', all: true }],
      token: await tokenNow(),
    })
    await commit([putIn('a', 1)])
    expect((await changesSince(token)).changes).toHaveLength(2)
  })

  test('events without changes add nothing to the feed', async () => {
    const token = await tokenNow()
    await commit([close('a')])
    expect((await changesSince(token)).changes).toEqual([])
  })

  test('the checkpoint moves over events of other categories, and keeps the last event of its own', async () => {
    await commit([putIn('a', 1)])
    await commit([], 100n)
    const stored = await sink.checkpoint()
    expect(stored.position).toEqual(at(100))
    expect(stored.lastEvent?.position).toEqual(at(1))
  })

  test('a parked event that is projected later does not replace the last event of the checkpoint', async () => {
    await commit([putIn('a', 1), putIn('b', 1)])
    const { lastEvent, position } = checkpoint
    const step = stepOver(tills, checkpoint, { events: [storedAt(1, putIn('c', 1))], position })
    expect(await sink.commit({ ...step, parking: { put: [], removed: [] } })).toBe('committed')
    expect((await place.rows()).value).toHaveLength(3)
    expect((await sink.checkpoint()).lastEvent).toEqual(lastEvent)
  })

  test('positions beyond 2^53 keep every digit', async () => {
    const far = 2n ** 62n + 1n
    await commit([], far)
    await commit([putIn('a', 1)])
    expect((await place.rows()).checkpoint).toEqual(at(far + 1n))
    expect(await tokenNow()).toBe(`tills.1.${storeId}:${far + 1n}/${far + 1n}`)
    expect((await sink.checkpoint()).lastEvent?.position).toEqual(at(far + 1n))
  })

  test('amounts are numbers up to the largest safe integer', async () => {
    await commit([putIn('a', Number.MAX_SAFE_INTEGER)])
    expect((await place.rows()).value[0]?.amount).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('a step that does not start at the checkpoint writes nothing', async () => {
    const stale = checkpoint
    await commit([putIn('a', 1)])
    const step = stepOver(tills, stale, { events: [storedAt(1, putIn('a', 1))], position: at(1) })
    expect(await sink.commit(step)).toBe('superseded')
    expect((await place.rows()).value).toEqual([{ tillId: 'a', amount: 1, note: null, revision: 0 }])
  })

  test('an older claim cannot write, even from the right position', async () => {
    await commit([putIn('a', 1)])
    const fenced = { ...checkpoint, epoch: checkpoint.epoch - 1n }
    const step = stepOver(tills, fenced, { events: [storedAt(2, putIn('a', 1))], position: at(2) })
    expect(await sink.commit(step)).toBe('superseded')
    expect((await place.rows()).checkpoint).toEqual(at(1))
  })

  test('a claim finds the checkpoint of the previous one, with a higher epoch', async () => {
    await commit([putIn('a', 1)])
    const again = await claim(sink)
    expect(again).toEqual({ ...checkpoint, epoch: again.epoch })
    expect(again.epoch).toBeGreaterThan(checkpoint.epoch)
  })

  test('an event that cannot be projected rolls back its whole batch', async () => {
    const bad: TillEvent = { type: 'TillBroken', data: { tillId: 'a' } }
    await expect(commit([putIn('a', 1), bad])).rejects.toThrow(BadEvent)
    expect((await place.rows()).value).toEqual([])
    expect(await sink.checkpoint()).toEqual(checkpoint)
    await commit([putIn('a', 1)])
  })

  test('a value that no column can hold is refused and does not count as an outage', async () => {
    for (const amount of [1.5, Number.NaN]) {
      const error = await commit([putIn('a', amount)]).catch((error: unknown) => error)
      expect(sink.blame(error)).toBe('refused')
    }
    expect((await place.rows()).value).toEqual([])
    await commit([putIn('a', 1)])
  })

  test('an error of the store does not quote the row, which may hold personal data', async () => {
    const after = { tillId: 'a', amount: null, note: 'Ada Lovelace', revision: 0 }
    const step = stepOver(tills, checkpoint, { events: [storedAt(1, putIn('a', 1))], position: at(1) })
    const evolve = () => [{ table: 'tills', key: 'a', after }]
    const error = await sink.commit({ ...step, evolve }).catch((error: unknown) => error)
    expect(sink.blame(error)).toBe('refused')
    expect(inspect(error)).not.toContain('Ada')
  })

  test('the logged error about an event does not quote its data', async () => {
    const bad: TillEvent = { type: 'TillBroken', data: { tillId: 'Ada Lovelace' } }
    const event = { ...storedAt(1, bad), stream: 'till-a' }
    const step = stepOver(tills, checkpoint, { events: [event], position: at(1) })
    const error = await sink.commit(step).catch((error: unknown) => error)
    expect(error).toMatchObject({ name: 'BadEvent', event: { stream: 'till-a', id: event.id } })
    expect(inspect(error, { depth: null })).not.toContain('Ada')
  })

  test('a projection that reads a row it did not name in keys() fails with an error that says so', () => {
    const forgetful = { ...tills, keys: () => ({}) }
    const step = stepOver(forgetful, checkpoint, { events: [storedAt(1, putIn('a', 1))], position: at(1) })
    expect(() => step.evolve(new Map())).toThrow(/keys\(\) must name/)
  })

  test('changes are read in whole batches, up to about the requested number', async () => {
    const start = await tokenNow()
    for (let batch = 0; batch < 5; batch++) await commit([putIn(`a${batch}`, 1), putIn(`b${batch}`, 1)])
    await commit([], 50n)
    const seen: string[] = []
    let token = start
    for (let pages = 0; pages < 3; pages++) {
      const page = await changesSince(token, 4)
      expect(page.changes.length).toBeLessThanOrEqual(4)
      seen.push(...page.changes.map((change) => ('key' in change ? change.key : change.table)))
      token = page.token
    }
    expect(seen).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'b4'])
    expect(token).toBe(await tokenNow())
    expect(await changesSince(token)).toMatchObject({ changes: [], token })
  })

  test('a token of another node that lies inside a batch gets the changes of the whole batch', async () => {
    await commit([putIn('a', 1)])
    // This node changed 'a' from 1 to 3 in one batch; the other node was read when it was 2.
    await commit([putIn('a', 1), putIn('a', 1)])
    const { changes, token } = await changesSince(`tills.1.${storeId}:2/2`)
    expect(changes).toMatchObject([{ key: 'a', after: { amount: 3 } }])
    expect(token).toBe(await tokenNow())
  })

  test('a token of a node that is ahead waits until this node has caught up', async () => {
    const ahead = `tills.1.${storeId}:2/2`
    await commit([putIn('a', 1)])
    expect(await changesSince(ahead)).toMatchObject({ changes: [], token: ahead })
    await commit([putIn('a', 1)])
    expect(await changesSince(ahead)).toMatchObject({ changes: [], token: ahead })
    await commit([putIn('a', 1)])
    expect((await changesSince(ahead)).changes).toMatchObject([{ after: { amount: 3 } }])
  })

  test.each([
    `tills.1.00000000-0000-4000-8000-000000000000:0/0`,
    `tills.2.${storeId}:0/0`,
    `loans.1.${storeId}:0/0`,
    `tills.1.${storeId}:0`,
    '',
  ])('token %o needs a snapshot', async (token) => {
    expect(await place.changesSince(token, 10)).toBe('snapshot needed')
  })

  test('the feed is trimmed; below its floor a snapshot is needed, above it nothing is missing', async () => {
    const tokens = [await tokenNow()]
    for (let part = 0; part < 3; part++) {
      for (let step = 0; step < feedLengthMax / 2 / tableChangesMax; step++)
        await commit(Array.from({ length: tableChangesMax }, (_, n) => putIn(`${part}-${step}-${n}`, 1)))
      tokens.push(await tokenNow())
    }
    const [first = '', second = '', third = ''] = tokens
    expect(await place.changesSince(first, 1)).toBe('snapshot needed')
    expect((await changesSince(second, feedLengthMax)).changes).toHaveLength(feedLengthMax)
    expect((await changesSince(third, feedLengthMax)).changes).toHaveLength(feedLengthMax / 2)
  })

  test('readers are notified of commits and can wait for a position', async () => {
    let told = 0
    const stop = place.onCommit(() => told++)
    const reached = place.waitFor(at(2), 20_000)
    await commit([putIn('a', 1)])
    await commit([putIn('a', 1)])
    expect(await reached).toBe(true)
    expect(await place.waitFor(at(1), 20_000)).toBe(true)
    expect(await place.waitFor(at(3), 20)).toBe(false)
    expect(told).toBeGreaterThan(0)
    stop()
  })

  test('tables of another shape under the same version are refused', async () => {
    const other = { ...tillsOf('till'), tables: { tills: { ...tills.tables.tills, indexes: [] } } }
    await sink.close()
    sink = place.openSink(other)
    await expect(sink.claim(storeId)).rejects.toThrow(/version of its own/)
  })
})
