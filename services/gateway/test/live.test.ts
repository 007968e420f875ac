// Live queries over real sockets and a real read model: what a client keeps is what the query answers, come what may.
import { randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { LoanStatus } from '@headwater/deciders/loan/loan-answers'
import { liveRowsMax } from '@headwater/live/live-result'
import { feedLengthMax } from '@headwater/projections/model/changes'
import { type LoanRow, publicLoan } from '@headwater/read-models/loan/loans'
import { chanceFrom } from '@headwater/test-kit/chance'
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { connectLive, newLoan, startEdge, startGateway, underwriter } from './support.ts'

type Gateway = Awaited<ReturnType<typeof startGateway>>
type Client = Awaited<ReturnType<typeof connectLive>>

const sorted = (rows: Iterable<object>) => [...rows].map((row) => JSON.stringify(row)).sort()
const publicRows = (loans: Iterable<LoanRow>) => sorted([...loans].map(publicLoan))
const shows = (client: Client, id: string, loans: readonly LoanRow[]) => () =>
  JSON.stringify(sorted(client.rows(id))) === JSON.stringify(publicRows(loans))

const start = async (limits = {}) => {
  const edge = await startEdge()
  onTestFinished(edge.remove)
  const gateway = await startGateway(edge.directory, { liveLimits: limits })
  onTestFinished(gateway.close)
  return { edge, gateway }
}
const connect = async (
  gateway: Pick<Gateway, 'liveUrl' | 'headers'>,
  onMessage?: Parameters<typeof connectLive>[1],
) => {
  const client = await connectLive(gateway, onMessage)
  onTestFinished(() => client.socket.terminate())
  return client
}

describe('a live query', () => {
  test('answers with a snapshot, then with what changes, and shows public fields only', async () => {
    const { edge, gateway } = await start()
    const first = newLoan()
    await edge.write(first)
    const client = await connect(gateway)
    client.subscribe('all')
    await client.until(shows(client, 'all', [first]))
    const second = newLoan({ status: 'approved' })
    const firstDecided: LoanRow = { ...first, status: 'denied', decidedBy: 'grace' }
    await edge.write(second, firstDecided)
    await client.until(shows(client, 'all', [firstDecided, second]))
    expect(client.messages.map(({ type }) => type)).toEqual(['snapshot', 'change'])
    expect(JSON.stringify(client.messages)).not.toMatch(/Lovelace|555555AA|James|grace/)
  })

  test('shows an underwriter all but the whole national id', async () => {
    const edge = await startEdge()
    onTestFinished(edge.remove)
    const gateway = await startGateway(edge.directory, {
      as: underwriter,
    })
    onTestFinished(gateway.close)
    await edge.write(newLoan())
    const client = await connect(gateway)
    client.subscribe('all')
    await client.until(() => client.messages.length > 0)
    expect(client.rows('all')).toMatchObject([{ name: 'Ada Lovelace', nationalId: '••••••AA' }])
  })

  test('removes a row that no longer matches its filter', async () => {
    const { edge, gateway } = await start()
    const loan = newLoan({ status: 'awaiting review' })
    const other = newLoan({ status: 'approved' })
    await edge.write(loan, other)
    const client = await connect(gateway)
    client.subscribe('review', { status: 'awaiting review' })
    client.subscribe('approved', { status: 'approved' })
    await client.until(shows(client, 'review', [loan]))
    await client.until(shows(client, 'approved', [other]))
    const decided: LoanRow = { ...loan, status: 'approved' }
    await edge.write(decided)
    await client.until(shows(client, 'review', []))
    await client.until(shows(client, 'approved', [decided, other]))
    expect(client.messages.at(-2)).toMatchObject({ id: 'review', changes: [{ op: 'remove', key: loan.loanId }] })
  })

  test('says nothing more once unsubscribed', async () => {
    const { edge, gateway } = await start()
    const client = await connect(gateway)
    client.subscribe('gone')
    client.subscribe('stays')
    await client.until(() => client.messages.length === 2)
    client.send({ type: 'unsubscribe', id: 'gone' })
    client.subscribe('marker')
    await client.until(() => client.messages.length === 3)
    const loan = newLoan()
    await edge.write(loan)
    await client.until(shows(client, 'stays', [loan]))
    expect(client.rows('gone')).toEqual([])
  })

  test(`holds the first ${liveRowsMax} rows, also when rows leave and others move up`, async () => {
    const { edge, gateway } = await start()
    const loans = Array.from({ length: liveRowsMax + 600 }, () => newLoan({ status: 'awaiting review' }))
    await edge.write(...loans)
    const newestFirst = loans.toReversed()
    const client = await connect(gateway)
    client.subscribe('review', { status: 'awaiting review' })
    await client.until(shows(client, 'review', newestFirst.slice(0, liveRowsMax)))
    // More than the gateway holds in reserve: it has to read again.
    for (const some of [newestFirst.slice(0, 10), newestFirst.slice(10, 400)])
      await edge.write(...some.map((loan): LoanRow => ({ ...loan, status: 'denied' })))
    await client.until(shows(client, 'review', newestFirst.slice(400, 400 + liveRowsMax)))
    expect(client.messages.filter(({ type }) => type === 'snapshot')).toHaveLength(1)
  })
})

test('goes on when the feed has been cut before the gateway could read it', async () => {
  const { edge, gateway } = await start()
  const loans = Array.from({ length: 500 }, () => newLoan({ status: 'approved' }))
  await edge.write(...loans)
  const client = await connect(gateway)
  client.subscribe('approved', { status: 'approved' })
  await client.until(shows(client, 'approved', loans))
  const kept = loans.slice(0, 400)
  const lost = loans.slice(400).map((loan): LoanRow => ({ ...loan, status: 'denied' }))
  await edge.write(...lost)
  // Nothing else runs in between: the gateway finds only what the feed still holds.
  for (let written = 0; written <= 2 * feedLengthMax; written += 5_000)
    await edge.write(...Array.from({ length: 5_000 }, () => newLoan()))
  await client.until(shows(client, 'approved', kept))
})

describe('resuming', () => {
  test('with a token tells what changed since, once, and nothing else', async () => {
    const { edge, gateway } = await start()
    const [kept, changed, gone] = [newLoan(), newLoan(), newLoan()]
    await edge.write(kept, changed, gone)
    const before = await connect(gateway)
    before.subscribe('q', { status: 'checking' })
    await before.until(shows(before, 'q', [kept, changed, gone]))
    await before.close()

    const after: LoanRow = { ...changed, amount: 1 }
    const added = newLoan()
    await edge.write(after, { ...gone, status: 'denied' })
    await edge.write(added)
    const client = await connect(gateway)
    client.subscribe('q', { status: 'checking' }, { rows: before.rows('q'), token: before.token('q') })
    await client.until(() => client.messages.length > 0)
    expect(client.messages).toMatchObject([{ type: 'change' }])
    expect(sorted(client.rows('q'))).toEqual(publicRows([kept, after, added]))
    const [message] = client.messages
    expect(message?.type === 'change' && message.changes.map(({ key }) => key).sort()).toEqual(
      [after, gone, added].map(({ loanId }) => loanId).sort(),
    )
  })

  test('begins afresh with a token of another store, of another version, or of none', async () => {
    const { edge, gateway } = await start()
    const loan = newLoan()
    const position = await edge.write(loan)
    const stranger = newLoan()
    for (const token of [`loans.2.${randomUUID()}:${position}`, `loans.1.${edge.storeId}:${position}`, 'rubbish', '']) {
      const client = await connect(gateway)
      client.subscribe('q', {}, { rows: [stranger], token })
      await client.until(shows(client, 'q', [loan]))
      expect(client.messages).toMatchObject([{ type: 'snapshot' }])
    }
  })

  test('begins afresh when too much was missed', async () => {
    const { edge, gateway } = await start()
    const loans = Array.from({ length: 900 }, () => newLoan())
    await edge.write(...loans)
    const before = await connect(gateway)
    before.subscribe('q')
    await before.until(shows(before, 'q', loans))
    await before.close()
    let now = loans
    for (let amount = 1; amount <= 6; amount++) {
      now = loans.map((loan) => ({ ...loan, amount }))
      await edge.write(...now)
    }
    const client = await connect(gateway)
    client.subscribe('q', {}, { rows: before.rows('q'), token: before.token('q') })
    await client.until(shows(client, 'q', now))
    expect(client.messages).toMatchObject([{ type: 'snapshot' }])
  })

  test('begins afresh with a token that lies ahead of the read model', async () => {
    const { edge, gateway } = await start()
    await edge.write(newLoan())
    const client = await connect(gateway)
    client.subscribe('q', {}, { rows: [newLoan()], token: `loans.2.${edge.storeId}:99/99` })
    await client.until(() => client.messages.length > 0)
    expect(client.messages).toMatchObject([{ type: 'snapshot' }])
  })
})

test('is exact at every token for clients that come, go and resume while the rows change', async () => {
  const { edge, gateway } = await start({ outboxEntriesMax: 5 })
  const statuses: readonly LoanStatus[] = ['checking', 'awaiting review', 'approved']
  const seed = randomInt(2 ** 32)
  onTestFailed(() => console.error(`seed ${seed}`))
  const { pick, fraction, between } = chanceFrom(seed)
  const table = new Map<string, LoanRow>()
  const truth = new Map<string, { all: string[]; approved: string[] }>()
  const write = async (...rows: LoanRow[]) => {
    for (const row of rows) table.set(row.loanId, row)
    const approved = [...table.values()].filter(({ status }) => status === 'approved')
    const pending = { all: publicRows(table.values()), approved: publicRows(approved) }
    // Known before it is written: a client may hear of it first.
    truth.set(String(truth.size + 1), pending)
    await edge.write(...rows)
  }
  await write(...Array.from({ length: 12 }, () => newLoan()))

  const check = (client: Client) => () => {
    for (const [id, filter] of [
      ['all', 'all'],
      ['approved', 'approved'],
    ] as const) {
      const place = /:(\d+)\/\d+$/.exec(client.token(id))?.[1]
      if (place) expect(sorted(client.rows(id))).toEqual(truth.get(place)?.[filter])
    }
  }
  const join = async (earlier?: Client) => {
    const client = await connect(gateway, () => check(client)())
    for (const [id, filter] of [
      ['all', {}],
      ['approved', { status: 'approved' }],
    ] as const) {
      const token = earlier?.token(id)
      client.subscribe(id, filter, token ? { rows: earlier?.rows(id) ?? [], token } : undefined)
    }
    return client
  }
  const clients = await Promise.all([join(), join(), join(), join()])
  for (let round = 0; round < 200; round++) {
    const loan = fraction() < 0.2 ? newLoan() : pick([...table.values()])
    const other = pick([...table.values()])
    const change = (row: LoanRow): LoanRow => ({ ...row, status: pick(statuses), amount: round + 1 })
    await write(...new Map([loan, other].map((row) => [row.loanId, change(row)])).values())
    const watcher = pick(clients)
    if (round % 3 === 0) await watcher.until(shows(watcher, 'all', [...table.values()]))
    if (round % 5 === 0) {
      const place = between(0, clients.length - 1)
      const leaving = clients[place] as Client
      await leaving.close()
      clients[place] = await join(leaving)
    }
  }
  for (const client of clients) {
    await client.until(shows(client, 'all', [...table.values()]))
    await client.until(
      () => JSON.stringify(sorted(client.rows('approved'))) === JSON.stringify(truth.get(String(truth.size))?.approved),
    )
  }
})

describe('a client that does not read', () => {
  test('costs no memory: its news coalesce, and it gets a fresh snapshot when it reads again', async () => {
    const { edge, gateway } = await start({ connectionBytesMax: 16 * 1024, outboxEntriesMax: 100 })
    const loans = Array.from({ length: 500 }, () => newLoan())
    await edge.write(...loans)
    const slow = await connect(gateway)
    const watcher = await connect(gateway)
    slow.subscribe('all')
    watcher.subscribe('all')
    await slow.until(shows(slow, 'all', loans))
    slow.socket.pause()
    const rounds = 300
    let now = loans
    for (let round = 1; round <= rounds; round++) {
      now = loans.map((loan) => ({ ...loan, amount: round }))
      await edge.write(...now)
    }
    await watcher.until(shows(watcher, 'all', now))
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text()
    expect(metrics).toMatch(/^live_sockets 2$/m)
    expect(Number(/^live_queued_changes (\d+)$/m.exec(metrics)?.[1])).toBeLessThanOrEqual(100)
    const heardBefore = slow.messages.length
    slow.socket.resume()
    await slow.until(shows(slow, 'all', now))
    const caughtUpBy = slow.messages.slice(heardBefore)
    // What the operating system had taken already still arrives; it is far from everything.
    expect(caughtUpBy.length).toBeLessThan(rounds)
    expect(caughtUpBy.at(-1)?.type).toBe('snapshot')
  })

  test('is closed with 1013 when it gives no sign of life between two heartbeats', async () => {
    const { gateway } = await start({ heartbeatMs: 500 })
    const client = await connect(gateway)
    client.subscribe('all')
    await client.until(() => client.messages.some(({ type }) => type === 'heartbeat'))
    client.socket.pause()
    const other = await connect(gateway)
    let heartbeats = 0
    await other.until(() => {
      heartbeats = other.messages.filter(({ type }) => type === 'heartbeat').length
      return heartbeats >= 3
    })
    client.socket.resume()
    expect((await client.closed).code).toBe(1013)
    expect(other.socket.readyState).toBe(WebSocket.OPEN)
  })
})

describe('limits and mistakes', () => {
  const mistakes = [
    ['nonsense', 'malformed_message'],
    [{ type: 'subscribe', id: 'a', topic: 'loans', extra: 1 }, 'malformed_message'],
    [{ type: 'subscribe', id: '', topic: 'loans' }, 'malformed_message'],
    [{ type: 'subscribe', id: 'a', topic: 'secrets' }, 'unknown_topic'],
    [{ type: 'subscribe', id: 'a', topic: 'toString' }, 'unknown_topic'],
    [{ type: 'subscribe', id: 'a', topic: 'loans', filter: { status: 'odd' } }, 'invalid_filter'],
    [{ type: 'subscribe', id: 'a', topic: 'loans', filter: { nationalId: '555555AA' } }, 'invalid_filter'],
  ] as const
  test.each(mistakes)('%j is answered with %s, and the socket goes on', async (message, code) => {
    const { gateway } = await start()
    const client = await connect(gateway)
    client.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
    client.subscribe('good')
    await client.until(() => client.messages.length === 2)
    expect(client.messages).toMatchObject([
      { type: 'error', code },
      { type: 'snapshot', id: 'good' },
    ])
  })

  test('an id serves one subscription at a time, and a socket a limited number', async () => {
    const { gateway } = await start({ subscriptionsMax: 2 })
    const client = await connect(gateway)
    for (const id of ['a', 'a', 'b', 'c']) client.subscribe(id)
    await client.until(() => client.messages.length === 4)
    const of = (kind: string) => client.messages.filter(({ type }) => type === kind)
    expect(of('error')).toMatchObject([
      { id: 'a', code: 'id_in_use' },
      { id: 'c', code: 'too_many_subscriptions' },
    ])
    expect(of('snapshot')).toMatchObject([{ id: 'a' }, { id: 'b' }])
  })

  test('closes a socket that sends too large a message, or too many', async () => {
    const { gateway } = await start({ messageBytesMax: 100, messagesMax: 5 })
    const large = await connect(gateway)
    large.send({ type: 'unsubscribe', id: 'x'.repeat(100) })
    expect((await large.closed).code).toBe(1009)
    const many = await connect(gateway)
    for (let count = 0; count < 6; count++) many.send({ type: 'unsubscribe', id: 'x' })
    expect((await many.closed).code).toBe(1008)
  })

  test('accepts a limited number of sockets, and those of its own pages only', async () => {
    const { gateway } = await start({ socketsMax: 1 })
    const refusal = (headers = {}) =>
      new Promise<number | undefined>((resolve) => {
        const socket = new WebSocket(gateway.liveUrl, { headers })
        socket
          .once('unexpected-response', (_request, response) => resolve(response.statusCode))
          .on('error', () => undefined)
      })
    expect(await refusal({ origin: 'https://elsewhere.example' })).toBe(403)
    expect(await refusal({ origin: 'null' })).toBe(403)
    await connect(gateway)
    expect(await refusal()).toBe(503)
  })

  test('says so while there is no read model yet', async () => {
    const gateway = await startGateway(mkdtempSync(path.join(tmpdir(), 'edge-')))
    onTestFinished(gateway.close)
    const client = await connect(gateway)
    client.subscribe('all')
    await client.until(() => client.messages.length > 0)
    expect(client.messages).toMatchObject([{ type: 'error', id: 'all', code: 'unavailable' }])
  })
})
