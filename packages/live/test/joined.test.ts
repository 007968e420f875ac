// A live query over several tables: read again when its key is concerned, at most every 100 ms, and resumed on any node.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { StoredEvent } from '@headwater/eventstore/codec'
import { tableChangesMax } from '@headwater/projections/model/changes'
import { sqliteQueries } from '@headwater/projections/model/queries'
import type { Query, Reader } from '@headwater/projections/model/reader'
import type { Checkpoint } from '@headwater/projections/model/sink'
import { stepOver } from '@headwater/projections/model/step'
import { type Part, readModel } from '@headwater/projections/run/parts'
import { openSqliteReader } from '@headwater/projections/sqlite/reader'
import { openSqliteSink } from '@headwater/projections/sqlite/sink'
import { at, logger, storeId, until } from '@headwater/test-kit/toys/tills'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { startLiveQueries } from '../src/live-queries.ts'
import { defineJoinedTopic, type LiveView } from '../src/topic.ts'

type OrderRow = { readonly orderId: string; readonly tableId: string; readonly dishId: string; readonly count: number }
type DishRow = { readonly dishId: string; readonly name: string }
type Ordered = { type: 'Ordered'; data: OrderRow } | { type: 'Cancelled'; data: { orderId: string } }
type Named = { type: 'Named'; data: DishRow }

const orders: Part<Ordered, { readonly orders: OrderRow }> = {
  stream: { category: 'order', events: { schemas: { Ordered: true, Cancelled: true }, upcasts: {} } },
  tables: {
    orders: {
      key: 'orderId',
      columns: { orderId: 'text', tableId: 'text', dishId: 'text', count: 'integer' },
      indexes: [['tableId']],
      topicColumns: ['tableId'],
    },
  },
  owners: { orders: 'orderId' },
  keys: ({ data }) => ({ orders: [data.orderId] }),
  project: (event, { orders }) =>
    event.type === 'Ordered' ? orders.set(event.data.orderId, event.data) : orders.remove(event.data.orderId),
}

const dishes: Part<Named, { readonly dishes: DishRow }> = {
  stream: { category: 'dish', events: { schemas: { Named: true }, upcasts: {} } },
  tables: { dishes: { key: 'dishId', columns: { dishId: 'text', name: 'text' }, indexes: [] } },
  owners: { dishes: 'dishId' },
  keys: ({ data }) => ({ dishes: [data.dishId] }),
  project: ({ data }, { dishes }) => dishes.set(data.dishId, data),
}

const restaurant = readModel({ name: 'restaurant', version: 1, parts: [orders, dishes] })
const queries = sqliteQueries<{ orders: OrderRow; dishes: DishRow }>()

type Line = { readonly orderId: string; readonly name: string | null; readonly count: number }

const bill = {
  name: 'bill',
  rules: [],
  readModel: restaurant,
  filter: z.strictObject({ tableId: z.string() }),
  viewer: () => null,
  key: ({ tableId }: { tableId: string }) => tableId,
  tables: { orders: 'tableId' },
  names: ['dishes'],
  view: () => ({
    key: ({ orderId }: Line) => orderId,
    compare: (a: Line, b: Line) => (a.orderId < b.orderId ? -1 : 1),
    show: (line: Line) => JSON.stringify(line),
  }),
  first: ({ tableId }: { tableId: string }, _viewer: null, count: number): Query<Line> =>
    queries
      .selectFrom('orders')
      .leftJoin('dishes', 'dishes.dishId', 'orders.dishId')
      .select(['orders.orderId', 'dishes.name', 'orders.count'])
      .where('orders.tableId', '=', tableId)
      .orderBy('orders.orderId')
      .limit(count)
      .compile(),
}

const viewOf = (tableId: string): LiveView => {
  const view = defineJoinedTopic(bill).open({ tableId }, [])
  if (view === 'invalid_filter') throw new Error(view)
  return view
}

const ordered = (orderId: string, tableId: string, count = 1): Ordered => ({
  type: 'Ordered',
  data: { orderId, tableId, dishId: 'soup', count },
})
const cancelled = (orderId: string): Ordered => ({ type: 'Cancelled', data: { orderId } })
const named = (name: string): Named => ({ type: 'Named', data: { dishId: 'soup', name } })

const streamOf = (event: Ordered | Named) =>
  event.type === 'Named' ? `dish-${event.data.dishId}` : `order-${event.data.orderId}`

/** A node with the read model and its live queries; `runs` counts the times that rows were read. */
const startNode = async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'joined-'))
  const sink = openSqliteSink({ directory, projection: restaurant, logger })
  const claimed = await sink.claim(storeId)
  if (!claimed) throw new Error('The claim was refused.')
  let checkpoint = claimed
  const reader = openSqliteReader({ directory, projection: restaurant, logger })
  const counted = { runs: 0 }
  const watched: Reader = {
    ...reader,
    rows: (query) => {
      counted.runs += 1
      return reader.rows(query)
    },
  }
  const live = startLiveQueries(watched, logger)
  onTestFinished(async () => {
    await live.stop()
    reader.close()
    await sink.close()
    rmSync(directory, { recursive: true })
  })
  const stepFrom = (from: Checkpoint, events: readonly (Ordered | Named)[]) => {
    const first = from.position.commit + 1n
    const stored = events.map(
      (event, n): StoredEvent => ({
        ...event,
        id: `${first + BigInt(n)}`,
        stream: streamOf(event),
        revision: 0n,
        position: at(first + BigInt(n)),
        metadata: {},
        recordedAt: new Date(0),
      }),
    )
    return stepOver(restaurant, from, { events: stored, position: at(first + BigInt(events.length - 1)) })
  }
  const write = async (...events: readonly (Ordered | Named)[]) => {
    const step = stepFrom(checkpoint, events)
    expect(await sink.commit(step)).toBe('committed')
    checkpoint = step.to
  }
  /** Replaces the rows by those of other events. */
  const rebuild = async (...events: readonly (Ordered | Named)[]) => {
    const copy = sink.scratch?.open()
    const from = await copy?.claim(storeId)
    if (!copy || !from) throw new Error('The copy cannot be written.')
    expect(await copy.commit(stepFrom(from, events))).toBe('committed')
    await copy.close()
    await sink.scratch?.swap()
  }
  const follow = async (view: LiveView, earlier?: string) => {
    const sent: unknown[] = []
    const begun = Promise.withResolvers<void>()
    const query = live.follow(
      view,
      {
        restarted: () => {
          sent.push({ snapshot: query.rows().map((row) => JSON.parse(row)) })
          begun.resolve()
        },
        changed: (ops, token) => {
          sent.push({ changes: [...ops.values()].map((op) => JSON.parse(op)), token })
          begun.resolve()
        },
        failed: begun.reject,
      },
      earlier,
    )
    await begun.promise
    return { sent, token: query.token, rows: () => query.rows().map((row): Line => JSON.parse(row)) }
  }
  return { write, rebuild, follow, counted }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** `expect.poll` would move the clock. */
const shows = (rows: () => readonly Line[], expected: readonly Line[]) =>
  until(JSON.stringify(expected), () => JSON.stringify(rows()) === JSON.stringify(expected))

const line = (orderId: string, count = 1, name: string | null = null): Line => ({ orderId, name, count })

test('a change of the key sends the rows that differ; a change of another key reads nothing', async () => {
  const node = await startNode()
  await node.write(ordered('1', 'window'), ordered('2', 'window'))
  const { sent, rows } = await node.follow(viewOf('window'))
  expect(sent).toEqual([{ snapshot: [line('1'), line('2')] }])
  const door = await node.follow(viewOf('door'))
  const before = node.counted.runs
  await vi.advanceTimersByTimeAsync(1_000)

  await node.write(ordered('2', 'window', 5), ordered('3', 'door'))
  await shows(rows, [line('1'), line('2', 5)])
  expect(sent[1]).toMatchObject({ changes: [{ op: 'upsert', key: '2', row: line('2', 5) }] })
  await shows(door.rows, [line('3')])
  expect(node.counted.runs).toBe(before + 2)

  await vi.advanceTimersByTimeAsync(1_000)
  await node.write(ordered('3', 'door', 2))
  await shows(door.rows, [line('3', 2)])
  expect(node.counted.runs).toBe(before + 3)
})

test('a row that is removed, or moves to another key, leaves', async () => {
  const node = await startNode()
  await node.write(ordered('1', 'window'), ordered('2', 'window'), ordered('3', 'window'))
  const { rows } = await node.follow(viewOf('window'))
  await vi.advanceTimersByTimeAsync(100)
  await node.write(cancelled('1'))
  await shows(rows, [line('2'), line('3')])
  await vi.advanceTimersByTimeAsync(100)
  await node.write(ordered('2', 'door'))
  await shows(rows, [line('3')])
})

test('a query that changes all the time is read once in 100 ms, and its token stays where its rows are', async () => {
  const node = await startNode()
  await node.write(ordered('1', 'window'))
  const other = await node.follow(viewOf('door'))
  const { rows, token } = await node.follow(viewOf('window'))
  const [before, runs] = [token(), node.counted.runs]
  for (let count = 2; count <= 9; count++) await node.write(ordered('1', 'window', count))
  await until('the feed is read', () => other.token() !== before)
  expect([rows(), token(), node.counted.runs]).toEqual([[line('1')], before, runs])
  await vi.advanceTimersByTimeAsync(100)
  await shows(rows, [line('1', 9)])
  expect([token(), node.counted.runs]).toEqual([other.token(), runs + 1])
})

test('a change of a name is shown within 10 s', async () => {
  const node = await startNode()
  await node.write(ordered('1', 'window'))
  const { rows } = await node.follow(viewOf('window'))
  const runs = node.counted.runs
  await node.write(named('Leek soup'))
  await vi.advanceTimersByTimeAsync(9_000)
  expect(node.counted.runs).toBe(runs)
  await vi.advanceTimersByTimeAsync(1_000)
  await shows(rows, [line('1', 1, 'Leek soup')])
})

test('a step that changes very many rows concerns every key', async () => {
  const node = await startNode()
  const { rows } = await node.follow(viewOf('window'))
  await vi.advanceTimersByTimeAsync(100)
  const many = Array.from({ length: tableChangesMax }, (_, n) => ordered(`many-${n}`, 'door'))
  await node.write(...many, ordered('1', 'window'))
  await shows(rows, [line('1')])
})

test('on another node nothing is sent while the key has not changed, and all rows once it has', async () => {
  const [one, other] = [await startNode(), await startNode()]
  const events = [ordered('1', 'window'), ordered('2', 'door')]
  await one.write(...events)
  const left = await one.follow(viewOf('window'))
  // The other node has taken its events in other steps.
  for (const event of events) await other.write(event)
  await other.write(ordered('3', 'door'))
  const back = await other.follow(viewOf('window'), left.token())
  expect(back.sent).toEqual([{ changes: [], token: back.token() }])
  await vi.advanceTimersByTimeAsync(100)
  await other.write(ordered('1', 'window', 7))
  const late = await other.follow(viewOf('window'), back.token())
  expect(late.sent[0]).toEqual({ snapshot: [line('1', 7)] })
  await other.write(named('Leek soup'))
  const afterName = await other.follow(viewOf('window'), late.token())
  expect(afterName.sent).toMatchObject([{ snapshot: [{ orderId: '1' }] }])
})

test('rows that a rebuild corrects are sent to open queries, though the feed has no change', async () => {
  const node = await startNode()
  await node.write(ordered('1', 'window'), ordered('2', 'window'))
  const { rows } = await node.follow(viewOf('window'))
  await node.rebuild(ordered('1', 'window', 7), ordered('2', 'window'))
  await shows(rows, [line('1', 7), line('2')])
})

test('a topic whose key the feed does not keep is refused when it is defined', () => {
  expect(() => defineJoinedTopic({ ...bill, tables: { orders: 'dishId' } })).toThrow(/no topic column of orders/)
})
