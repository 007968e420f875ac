// A keyed map has the entries of a plain one, and older maps keep theirs.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyKeyed, entriesOf, type Keyed, keyedOf, valueAt, withValue } from '../src/keyed.ts'

const changes = fc.array(fc.tuple(fc.string({ maxLength: 3 }), fc.option(fc.integer(), { nil: undefined })))

test('a keyed map behaves like a plain map', () => {
  fc.assert(
    fc.property(changes, (changes) => {
      const plain = new Map<string, number>()
      const before: { readonly keyed: Keyed<number>; readonly entries: ReadonlyMap<string, number> }[] = []
      let keyed: Keyed<number> = emptyKeyed
      for (const [key, value] of changes) {
        before.push({ keyed, entries: new Map(plain) })
        keyed = withValue(keyed, key, value)
        if (value === undefined) plain.delete(key)
        else plain.set(key, value)
        expect(valueAt(keyed, key)).toBe(value)
      }
      expect(new Map(entriesOf(keyed))).toEqual(plain)
      for (const [key, value] of plain) expect(valueAt(keyedOf(plain), key)).toBe(value)
      for (const { keyed, entries } of before) expect(new Map(entriesOf(keyed))).toEqual(entries)
    }),
  )
})
