// Parts of a read model: the rows do not depend on the order of streams, because each stream writes only its own rows.
import type { StoredEvent } from '@headwater/eventstore/codec'
import type { Row } from '@headwater/projections/model/read-model'
import type { StoredRows } from '@headwater/projections/model/rows'
import type { Checkpoint } from '@headwater/projections/model/sink'
import { BadEvent, stepOver } from '@headwater/projections/model/step'
import { type Part, readModel } from '@headwater/projections/run/parts'
import { at, storeId } from '@headwater/test-kit/toys/tills'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const maxBooks = 9

type ShelfRow = { readonly shelfId: string; readonly books: number; readonly filled: number }
type Stock = {
  readonly of: string
  readonly filled: number
  readonly most: number | null
  readonly fewest: number | null
  readonly label: number
}
type Total = { readonly of: string; readonly lines: number }
type BookRow = { readonly page: string; readonly bookId: string; readonly lines: number }
type Filled = { type: 'Filled'; data: { id: string; n: number } }
type Written =
  | { type: 'Written'; data: { id: string; page: number; n: number } }
  | { type: 'Torn'; data: { id: string; page: number } }
  | { type: 'Emptied'; data: { id: string } }

const stock = (filled: number, label = 0): Stock => ({ of: 'all', filled, most: filled, fewest: filled, label })
const lines = (count: number): Total => ({ of: 'all', lines: count })

const shelves: Part<Filled, { readonly shelves: ShelfRow }, { readonly stock: Stock }> = {
  stream: { category: 'shelf', events: { schemas: { Filled: true }, upcasts: {} } },
  tables: {
    shelves: { key: 'shelfId', columns: { shelfId: 'text', books: 'integer', filled: 'integer' }, indexes: [] },
    stock: {
      key: 'of',
      columns: {
        of: 'text',
        filled: 'integer',
        most: 'integer or null',
        fewest: 'integer or null',
        label: 'integer',
      },
      indexes: [],
    },
  },
  owners: { shelves: 'shelfId' },
  tallies: { stock: { filled: 'sum', most: 'greatest', fewest: 'least' } },
  counted: { shelves: ({ filled }) => ({ stock: [stock(filled)] }) },
  keys: ({ data }) => ({ shelves: [data.id], stock: ['all'] }),
  project: ({ data: { id, n } }, { shelves, stock: all }) => {
    const { books = 0, filled = 0 } = shelves.get(id) ?? {}
    shelves.set(id, { shelfId: id, books: 2 * books + n, filled: filled + n })
    all.add(stock(n, n > maxBooks ? 1 : 0))
  },
}

const pageOf = ({ id, page }: { readonly id: string; readonly page: number }) => `${id} ${page}`

const books: Part<Written, { readonly pages: BookRow }, { readonly totals: Total }> = {
  stream: { category: 'book', events: { schemas: { Written: true, Torn: true, Emptied: true }, upcasts: {} } },
  tables: {
    pages: { key: 'page', columns: { page: 'text', bookId: 'text', lines: 'integer' }, indexes: [['bookId']] },
    totals: { key: 'of', columns: { of: 'text', lines: 'integer' }, indexes: [] },
  },
  owners: { pages: 'bookId' },
  tallies: { totals: { lines: 'sum' } },
  counted: { pages: (row) => ({ totals: [lines(row.lines)] }) },
  keys: (event) => ({
    pages: [event.type === 'Emptied' ? { where: ['bookId', event.data.id] } : pageOf(event.data)],
    totals: ['all'],
  }),
  project: (event, { pages, totals }) => {
    if (event.type === 'Emptied') return pages.removeWhere('bookId', event.data.id)
    const page = pageOf(event.data)
    const before = pages.get(page)?.lines ?? 0
    if (event.type === 'Torn') {
      totals.add(lines(-before))
      return pages.remove(page)
    }
    const { id, n } = event.data
    pages.set(page, { page, bookId: id, lines: 2 * before + n })
    totals.add(lines(before + n))
  },
}

const library = readModel({ name: 'library', version: 1, parts: [shelves, books] })

const start: Checkpoint = {
  position: at(0),
  lastEvent: undefined,
  storeId,
  build: '',
  epoch: 1n,
  deadLetters: [],
  replacedTexts: 0,
}

type Told = Pick<StoredEvent, 'stream' | 'type' | 'data'>

/** The rows after these events, in steps of these sizes. */
const rowsAfter = (told: readonly Told[], sizes: readonly number[] = [told.length]) => {
  const rows = new Map(Object.keys(library.tables).map((table) => [table, new Map<string, Row>()]))
  let from = start
  for (let taken = 0, n = 0; taken < told.length; n++) {
    const events = told.slice(taken, taken + (sizes[n % sizes.length] ?? 1)).map((event, place) => ({
      ...event,
      id: `event ${taken + place}`,
      revision: 0n,
      position: at(taken + place + 1),
      metadata: {},
      recordedAt: new Date(0),
    }))
    taken += events.length
    const step = stepOver(library, from, { events, position: at(taken) })
    const having = (table: string, key: string, row: Row): boolean =>
      step.keys.get(table)?.has(key) === true ||
      (step.removal?.selections ?? []).some((of) => of.table === table && of.values.has(String(row[of.column])))
    const load = (wanted: typeof having): StoredRows =>
      new Map(
        [...rows].map(([table, all]) => [table, new Map([...all].filter(([key, row]) => wanted(table, key, row)))]),
      )
    const loaded = load(having)
    const counting = step.removal?.counting(loaded)
    const stored = load((table, key, row) => having(table, key, row) || counting?.get(table)?.has(key) === true)
    for (const { table, key, after } of step.evolve(stored)) {
      if (after) rows.get(table)?.set(key, after)
      else rows.get(table)?.delete(key)
    }
    from = step.to
  }
  return rows
}

const ids = ['a', 'b']

const one: fc.Arbitrary<Told> = fc
  .record({
    kind: fc.constantFrom('Filled', 'Written', 'Written', 'Torn', 'Emptied', '$streamDeleted'),
    id: fc.constantFrom(...ids),
    page: fc.nat(1),
    n: fc.integer({ min: -maxBooks, max: maxBooks }),
    of: fc.constantFrom('shelf', 'book'),
  })
  .map(({ kind, id, page, n, of }) => {
    if (kind === '$streamDeleted') return { stream: `${of}-${id}`, type: kind, data: {} }
    return { stream: `${kind === 'Filled' ? 'shelf' : 'book'}-${id}`, type: kind, data: { id, page, n } }
  })

test('the rows are the same for every order of streams and every batching, also when one stream was parked', () => {
  fc.assert(
    fc.property(
      fc.array(one, { maxLength: 30 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
      (told, picks, sizes) => {
        const streams = [...Map.groupBy(told, ({ stream }) => stream).values()]
        const waiting = streams.map((events) => [...events])
        const parked = waiting.shift() ?? []
        const mixed: Told[] = []
        for (let n = 0; waiting.length > 0; n++) {
          const place = (picks[n % picks.length] ?? 0) % waiting.length
          const next = waiting[place]?.shift()
          if (next) mixed.push(next)
          else waiting.splice(place, 1)
        }
        expect(rowsAfter([...mixed, ...parked], sizes)).toEqual(rowsAfter(told))
      },
    ),
  )
})

const written = (stream: string, id: string) => ({ stream, type: 'Written', data: { id, page: 1, n: 1 } })

test('an event that would add, change or remove the row of another stream cannot be projected', () => {
  expect(() => rowsAfter([written('book-a', 'b')])).toThrow(BadEvent)
  expect(() => rowsAfter([written('book-b', 'b'), written('book-a', 'b')])).toThrow(/is a row of another stream/)
  const torn = { stream: 'book-a', type: 'Torn', data: { id: 'b', page: 1 } }
  expect(() => rowsAfter([written('book-b', 'b'), torn])).toThrow(/is a row of another stream/)
})

test('deleting a stream keeps the rows of a stream with the same ID in another category', () => {
  const filled = { stream: 'shelf-a', type: 'Filled', data: { id: 'a', n: 3 } }
  const rows = rowsAfter([filled, written('book-a', 'a'), { stream: 'book-a', type: '$streamDeleted', data: {} }])
  expect(rows.get('pages')?.size).toBe(0)
  expect([...(rows.get('shelves')?.values() ?? [])]).toEqual([{ shelfId: 'a', books: 3, filled: 3 }])
})

test('a tally has the sums over all remaining streams, and the greatest and the least value of all', () => {
  const filled = (id: string, n: number) => ({ stream: `shelf-${id}`, type: 'Filled', data: { id, n } })
  const deleted = (id: string) => ({ stream: `shelf-${id}`, type: '$streamDeleted', data: {} })
  const told = [filled('a', 3), filled('b', 4), filled('a', 2), deleted('a')]
  const extremes = { most: 4, fewest: 2 }
  expect(rowsAfter(told, [1]).get('stock')?.get('all')).toEqual({ ...stock(4), ...extremes })
  // The greatest and the least value do not tell whose they were.
  expect(
    rowsAfter([...told, deleted('b')], [2])
      .get('stock')
      ?.get('all'),
  ).toEqual({ ...stock(0), ...extremes })
  expect(() => rowsAfter([filled('a', 1), filled('b', maxBooks + 1)])).toThrow(/label is not combined/)
})

const emptied = (stream: string, id: string) => ({ stream, type: 'Emptied', data: { id } })

test('rows are removed by a column, stored or just made, and leave the tallies that count them', () => {
  const told = [written('book-a', 'a'), written('book-b', 'b'), emptied('book-a', 'a'), written('book-a', 'a')]
  for (const size of [1, 4]) {
    const rows = rowsAfter(told, [size])
    expect([...(rows.get('pages')?.keys() ?? [])].sort()).toEqual(['a 1', 'b 1'])
    expect(rows.get('totals')?.get('all')).toEqual(lines(2))
    expect(rowsAfter([...told, emptied('book-a', 'a'), emptied('book-b', 'b')], [size]).get('totals')?.size).toBe(0)
  }
})

test('an event cannot remove rows of another stream by a column, or rows that it did not name', () => {
  expect(() => rowsAfter([written('book-b', 'b'), emptied('book-a', 'b')])).toThrow(/is a row of another stream/)
  const careless = readModel({ name: 'library', version: 1, parts: [{ ...books, keys: () => ({}) }] })
  const event = {
    ...emptied('book-a', 'a'),
    id: '1',
    revision: 0n,
    position: at(1),
    metadata: {},
    recordedAt: new Date(0),
  }
  const step = stepOver(careless, start, { events: [event], position: at(1) })
  expect(() => step.evolve(new Map())).toThrow(/keys\(\) must say where/)
})

test('two parts cannot have a category or a table in common', () => {
  expect(() => readModel({ name: 'library', version: 1, parts: [books, books] })).toThrow(/belongs to two parts/)
})
