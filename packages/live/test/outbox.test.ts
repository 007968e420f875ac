// What one socket has yet to be told stays bounded in number and in size, whatever happens to the rows.
import { expect, test } from 'vitest'
import { createOutbox } from '../src/outbox.ts'

const ops = (...entries: [string, string][]) => new Map(entries)

test('changes of one row coalesce to the last, and the newest token goes with them', () => {
  const outbox = createOutbox({ entriesMax: 10, bytesMax: 100 })
  outbox.addChanges('q', ops(['a', '1'], ['b', '22']), 't1')
  outbox.addChanges('q', ops(['a', '333']), 't2')
  expect(outbox.size()).toEqual({ entries: 2, bytes: 5 })
  expect(outbox.take()).toEqual({ id: 'q', kind: 'changes', ops: ops(['a', '333'], ['b', '22']), token: 't2' })
  expect(outbox.size()).toEqual({ entries: 0, bytes: 0 })
  expect(outbox.take()).toBeUndefined()
})

test.each([
  ['rows', { entriesMax: 2, bytesMax: 1_000 }],
  ['bytes', { entriesMax: 1_000, bytesMax: 5 }],
])('with too many %s every subscription gets a snapshot instead, and nothing is kept for it', (_what, limits) => {
  const outbox = createOutbox(limits)
  outbox.addChanges('q', ops(['a', '11']), 't1')
  outbox.addChanges('r', ops(['b', '22'], ['c', '33']), 't1')
  expect(outbox.size()).toEqual({ entries: 0, bytes: 0 })
  outbox.addChanges('q', ops(['d', '44']), 't2')
  expect(outbox.size()).toEqual({ entries: 0, bytes: 0 })
  expect([outbox.take(), outbox.take(), outbox.take()]).toEqual([
    { id: 'q', kind: 'snapshot' },
    { id: 'r', kind: 'snapshot' },
    undefined,
  ])
})

test('a subscription that ends takes what waits for it along', () => {
  const outbox = createOutbox({ entriesMax: 10, bytesMax: 100 })
  outbox.addChanges('q', ops(['a', '1']), 't1')
  outbox.addSnapshot('r')
  outbox.drop('q')
  expect(outbox.size()).toEqual({ entries: 0, bytes: 0 })
  expect(outbox.take()).toEqual({ id: 'r', kind: 'snapshot' })
})
