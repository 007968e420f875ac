// A client that applies what a window says always shows the first rows of the query, whatever happens to the rows.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createOutbox } from '../src/outbox.ts'
import { createResultWindow, type Ops, type ResultWindow, type RowChange, type View } from '../src/result-window.ts'

type Row = { readonly key: string; readonly status: string; readonly rank: string; readonly secret: number }

const limits = { rowsMax: 3, reserveMax: 2 }
const view: View<Row> = {
  matches: (row) => row.status === 'open',
  key: (row) => row.key,
  compare: (a, b) => (a.rank === b.rank ? a.key.localeCompare(b.key) : a.rank > b.rank ? -1 : 1),
  show: ({ key, rank }) => JSON.stringify({ key, rank }),
}

/** The read model, plainly: what the table holds and what the query over it answers. */
const createTable = () => {
  const rows = new Map<string, Row>()
  return {
    write: (key: string, after: Row | null): RowChange<Row> => {
      if (after) rows.set(key, after)
      else rows.delete(key)
      return { key, after }
    },
    first: (count: number) => [...rows.values()].filter(view.matches).sort(view.compare).slice(0, count),
  }
}
type Table = ReturnType<typeof createTable>

type Entry = { op: 'upsert'; key: string; row: { key: string } } | { op: 'remove'; key: string }
const clientApplies = (client: Map<string, object>, ops: Ops) => {
  for (const json of ops.values()) {
    const entry: Entry = JSON.parse(json)
    if (entry.op === 'upsert') client.set(entry.key, entry.row)
    else client.delete(entry.key)
  }
}
const sorted = (rows: Iterable<object>) => [...rows].map((row) => JSON.stringify(row)).sort()
const shown = (table: Table) => table.first(limits.rowsMax).map(view.show)

const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const write = fc.record({
  key: fc.constantFrom(...keys),
  row: fc.option(
    fc.record({
      status: fc.constantFrom('open', 'open', 'closed'),
      rank: fc.constantFrom('1', '2', '3'),
      secret: fc.nat(),
    }),
  ),
})
const batches = fc.array(fc.array(write, { maxLength: 4 }), { maxLength: 30 })

const run = (table: Table, batch: readonly { key: string; row: Omit<Row, 'key'> | null }[]) =>
  batch.map(({ key, row }) => table.write(key, row && { key, ...row }))
const load = (table: Table) => table.first(limits.rowsMax + limits.reserveMax)
/** Applies changes, and loads the rows again when some are missing. */
const follow = (window: ResultWindow<Row>, table: Table, changes: readonly RowChange<Row>[]): Ops => {
  const ops = window.apply(changes)
  return window.needsReload() ? new Map([...ops, ...window.load(load(table))]) : ops
}

test('equals the query after every batch', () => {
  fc.assert(
    fc.property(batches, (history) => {
      const table = createTable()
      const window = createResultWindow(view, limits)
      const client = new Map<string, object>()
      window.load(load(table))
      for (const batch of history) {
        const changes = run(table, batch)
        clientApplies(client, follow(window, table, changes))
        expect(window.rows()).toEqual(shown(table))
        expect(sorted(client.values())).toEqual(shown(table).sort())
      }
    }),
    { numRuns: 2_000 },
  )
})

test('tells a client that was away what it lacks, or that only a snapshot helps', () => {
  const rowsMax = fc.constantFrom(limits.rowsMax, keys.length)
  fc.assert(
    fc.property(rowsMax, batches, batches, batches, (rowsMax, early, away, late) => {
      const table = createTable()
      for (const batch of early) run(table, batch)
      const client = new Map(table.first(rowsMax).map((row) => [row.key, JSON.parse(view.show(row))]))
      const missed = away.flatMap((batch) => run(table, batch))
      const window = createResultWindow(view, { rowsMax, reserveMax: 2 })
      window.load(table.first(rowsMax + 2))
      const now = table.first(rowsMax).map(view.show)
      // The feed may be read a little past the window: those changes must not disturb.
      const readPast = late.flatMap((batch) => run(table, batch))
      const ops = window.since(new Set([...missed, ...readPast].map(({ key }) => key)))
      if (ops) {
        clientApplies(client, ops)
        expect(sorted(client.values())).toEqual(now.sort())
      } else expect(rowsMax).toBeLessThan(keys.length)
    }),
    { numRuns: 2_000 },
  )
})

test('says nothing about fields the viewer does not see', () => {
  const table = createTable()
  const window = createResultWindow(view, limits)
  window.load([])
  window.apply([table.write('a', { key: 'a', status: 'open', rank: '1', secret: 1 })])
  expect(window.apply([table.write('a', { key: 'a', status: 'open', rank: '1', secret: 2 })])).toEqual(new Map())
})

test('leaves a client exact that takes its news late, in bounded memory', () => {
  const steps = fc.array(fc.oneof(fc.array(write, { maxLength: 4 }), fc.constant('take' as const)), { maxLength: 40 })
  fc.assert(
    fc.property(steps, fc.nat(4), (history, entriesMax) => {
      const table = createTable()
      const window = createResultWindow(view, limits)
      window.load([])
      const outbox = createOutbox({ entriesMax, bytesMax: 200 })
      let client = new Map<string, object>()
      const takeOne = () => {
        const due = outbox.take()
        if (due?.kind === 'changes') clientApplies(client, due.ops)
        if (due?.kind === 'snapshot')
          client = new Map(window.rows().map((json): [string, object] => [JSON.parse(json).key, JSON.parse(json)]))
        return due
      }
      for (const step of history) {
        if (step === 'take') takeOne()
        else outbox.addChanges('q', follow(window, table, run(table, step)), 'token')
        expect(outbox.size().entries).toBeLessThanOrEqual(entriesMax)
        expect(outbox.size().bytes).toBeLessThanOrEqual(200)
      }
      while (takeOne());
      expect(sorted(client.values())).toEqual(shown(table).sort())
      expect(outbox.size()).toEqual({ entries: 0, bytes: 0 })
    }),
    { numRuns: 2_000 },
  )
})
