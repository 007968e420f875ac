// Positions: a total order on pairs, and a lossless text form.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comparePosition, formatPosition, parsePosition } from '../src/position.ts'
import { categoryOf, idOf, streamName } from '../src/stream-name.ts'

const unsigned64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const position = fc.record({ commit: unsigned64, prepare: unsigned64 })
/** Few values, so that many positions are equal in one part or both. */
const near = fc.bigInt({ min: 0n, max: 2n })
const neighbour = fc.record({ commit: near, prepare: near })

describe('positions', () => {
  test('are ordered by commit, then by prepare', () => {
    fc.assert(
      fc.property(fc.oneof(position, neighbour), fc.oneof(position, neighbour), (a, b) => {
        const expected =
          a.commit === b.commit
            ? Number(a.prepare > b.prepare) - Number(a.prepare < b.prepare)
            : a.commit > b.commit
              ? 1
              : -1
        expect(Math.sign(comparePosition(a, b))).toBe(expected)
      }),
    )
  })

  test('are the same after formatting and parsing, also beyond 2^53', () => {
    fc.assert(
      fc.property(position, (at) => {
        expect(parsePosition(formatPosition(at))).toEqual(at)
      }),
    )
  })

  test.each([
    '',
    '1',
    '1/',
    '/1',
    '1/2/3',
    '-1/0',
    '01/0',
    '1.5/0',
    ' 1/1',
    '1/1 ',
    '18446744073709551616/0',
    'a/b',
    '1/١',
  ])('%j is no position', (text) => expect(parsePosition(text)).toBeUndefined())
})

describe('stream names', () => {
  test('the category is the text before the first dash', () => {
    const stream = streamName('loan', '4f7d1e6c-5e00')
    expect([stream, categoryOf(stream), idOf(stream)]).toEqual(['loan-4f7d1e6c-5e00', 'loan', '4f7d1e6c-5e00'])
  })
})
