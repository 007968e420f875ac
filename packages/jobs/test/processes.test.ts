// Processes, shown by transfers of money: whatever fails, wherever it is killed, each posting happens once and each transfer ends.
import { randomUUID } from 'node:crypto'
import { context } from '@headwater/deciders/context'
import type { Rejection } from '@headwater/deciders/decider'
import { type EmbeddedEventStore, start as startEventStore } from '@headwater/embedded-eventstore'
import { connectEventStore, type EventStore } from '@headwater/eventstore/client/client'
import { createCommandHandler } from '@headwater/eventstore/commands/handle-command'
import { readState } from '@headwater/eventstore/commands/read-known'
import { beginning, type Position } from '@headwater/eventstore/position'
import { categoryOf, streamName } from '@headwater/eventstore/stream-name'
import { stepOver } from '@headwater/projections/model/step'
import { startProjection } from '@headwater/projections/run/projection'
import { chanceFrom } from '@headwater/test-kit/chance'
import { type TestDatabase, testDatabase } from '@headwater/test-kit/database'
import { logger, until } from '@headwater/test-kit/toys/tills'
import {
  type AccountCommand,
  type TransferCommand,
  type TransferData,
  toyBank,
  transferIdOf,
} from '@headwater/test-kit/toys/transfers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../src/database.ts'
import { openLedger } from '../src/ledger/ledger.ts'
import { processesOf, runProcessJob, runProcessTask } from '../src/processes/processes.ts'
import { createProcessRunner } from '../src/processes/run-process.ts'
import { openConsequencesSink } from '../src/sink.ts'
import { trackedTasks } from '../src/tracked-tasks.ts'
import { startWorker } from '../src/worker.ts'

let node: EmbeddedEventStore
let store: EventStore
let database: TestDatabase

beforeAll(async () => {
  node = await startEventStore({ port: 0, memory: true })
  store = connectEventStore({ url: node.connectionString, logger })
  database = await testDatabase()
})
afterAll(async () => {
  await store.close()
  await node.stop()
  await database.remove()
})

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString()

/** A bank of the test's own, and what people do there. */
const openBank = () => {
  const bank = toyBank(randomUUID().slice(0, 8))
  const accounts = createCommandHandler({ store, stream: bank.accountStream, logger })
  const orders = createCommandHandler({ store, stream: bank.orderStream, logger })
  const origin = () => {
    const commandId = randomUUID()
    return { commandId, requestHash: commandId, actor: 'a person' }
  }
  const order = async (type: 'OrderPlaced' | 'OrderApproved', data: TransferData) => {
    const transferId = transferIdOf(data.from, data.to)
    await orders.handle({ ...origin(), id: transferId, command: { type, data: { transferId, ...data } } })
  }
  return {
    ...bank,
    order,
    account: (id: string, command: AccountCommand) => accounts.handle({ ...origin(), id, command }),
    balanceOf: async (id: string) => (await readState(store, bank.accountStream, id)).balance,
    /** @returns what was asked for */
    transfer: async (from: string, to: string, amount: number) => {
      const data = { from, to, amount, lapsesAt: inAnHour() }
      await order('OrderPlaced', data)
      await order('OrderApproved', data)
      return data
    },
    statusOf: async ({ from, to }: TransferData) =>
      (await readState(store, bank.transferStream, transferIdOf(from, to))).status,
    typesIn: async (category: string, id: string) =>
      (await store.readStream(streamName(category, id), 0n, 100)).map(({ type }) => type),
    /** Closes the books: what an account was given and what was taken, by transfer. */
    postingsOf: async (id: string) =>
      (await store.readStream(streamName(bank.accountStream.category, id), 0n, 100)).flatMap(({ type, data }) =>
        type === 'PutIn' || type === 'TakenOut' ? [`${type} ${(data as { transferId: string }).transferId}`] : [],
      ),
  }
}
type Bank = ReturnType<typeof openBank>

class Killed extends Error {}

type Faults = {
  /** The follower dies when it gets between two writes for this time; another takes over from its last checkpoint. */
  readonly dieAt?: number
  /** What happens meanwhile. */
  readonly whileDead?: () => Promise<unknown>
  /** Two followers handle each batch, one after the other. */
  readonly doubled?: boolean
}

/** @returns how often it was between two writes */
const followUntilQuiet = async (bank: Bank, from: Position, { dieAt, whileDead, doubled }: Faults = {}) => {
  const origin = { lastEvent: undefined, storeId: '', build: '', epoch: 0n, deadLetters: [], replacedTexts: 0 }
  let places = 0
  const reached = () => {
    if (++places === dieAt) throw new Killed()
  }
  const begin = () => processesOf([bank.bank], createProcessRunner({ store, logger, reached }))
  let follower = begin()
  for (let position = from; ; ) {
    const events = await store.readAfter(position, 500)
    const { projection } = follower
    const ours = events.filter(({ stream }) => projection.categories.includes(categoryOf(stream)))
    const last = events.at(-1)
    if (!last) return places
    const step = stepOver(projection, { ...origin, position }, { events: ours, position: last.position })
    const rows = step.evolve(new Map()).flatMap(({ after }) => (after ? [after as never] : []))
    try {
      await follower.act(rows)
      if (doubled) await begin().act(rows)
      position = last.position
    } catch (error) {
      if (!(error instanceof Killed)) throw error
      await whileDead?.()
      follower = begin()
    }
  }
}

const endings = {
  completed: async (bank: Bank) => {
    await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 100 } })
    return { postings: { a: ['PutIn cash', 'TakenOut a.b'], b: ['PutIn a.b'] }, balances: { a: 70, b: 30 } }
  },
  failed: async (bank: Bank) => {
    await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 20 } })
    return { postings: { a: ['PutIn cash'], b: [] }, balances: { a: 20, b: 0 } }
  },
  refunded: async (bank: Bank) => {
    await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 100 } })
    await bank.account('b', { type: 'Close' })
    return { postings: { a: ['PutIn cash', 'TakenOut a.b', 'PutIn a.b'], b: [] }, balances: { a: 100, b: 0 } }
  },
} as const

describe.each(Object.keys(endings) as (keyof typeof endings)[])('a transfer that is %s', (ending) => {
  const play = async (faults: Faults, act: (bank: Bank) => Promise<TransferData>) => {
    const bank = openBank()
    const from = await store.head()
    const { postings, balances } = await endings[ending](bank)
    const asked = await act(bank)
    const played = await followUntilQuiet(bank, from, faults)
    expect(await bank.statusOf(asked)).toBe(ending)
    for (const id of ['a', 'b'] as const) {
      expect(await bank.postingsOf(id)).toEqual(postings[id])
      expect(await bank.balanceOf(id)).toBe(balances[id])
    }
    return played
  }
  const transfer = (bank: Bank) => bank.transfer('a', 'b', 30)

  test('ends so, with each posting once, killed between any two writes', async () => {
    const places = await play({}, transfer)
    expect(places).toBeGreaterThan(1)
    for (let dieAt = 1; dieAt <= places; dieAt++) await play({ dieAt }, transfer)
  })

  test('ends so when every batch is followed by two', async () => {
    await play({ doubled: true }, transfer)
  })

  test('ends so whatever the order of its inputs, late and twice', async () => {
    await play({ doubled: true }, async (bank) => {
      const data = { from: 'a', to: 'b', amount: 30, lapsesAt: inAnHour() }
      await bank.order('OrderApproved', data)
      await followUntilQuiet(bank, beginning)
      await bank.order('OrderPlaced', data)
      await bank.order('OrderApproved', data)
      await followUntilQuiet(bank, beginning)
      await bank.order('OrderPlaced', data)
      return data
    })
  })
})

test('a refusal of a step is for good: it answers also when the reason is gone, on any replica, warm or cold', async () => {
  const bank = openBank()
  const commandId = randomUUID()
  const command: AccountCommand = { type: 'TakeOut', data: { transferId: 'x', amount: 5 } }
  const request = { id: 'a', command, commandId, requestHash: commandId, actor: 'jobs' }
  const handler = () => createCommandHandler({ store, stream: bank.accountStream, logger })
  const codeOf = (answer: Promise<unknown>) =>
    answer.then(
      () => 'accepted',
      ({ code }: Rejection) => code,
    )
  const [warm, other] = [handler(), handler()]
  expect(await codeOf(warm.handle({ ...request, recordsRefusal: () => true }))).toBe('insufficient_funds')
  await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 100 } })
  for (const replica of [warm, other, handler()]) {
    expect(await codeOf(replica.handle({ ...request, recordsRefusal: () => true }))).toBe('insufficient_funds')
    expect(await codeOf(replica.recorded(request))).toBe('insufficient_funds')
  }
  // Neither folded nor projected.
  expect(await bank.typesIn(bank.accountStream.category, 'a')).toEqual(['StepRefused', 'PutIn'])
  expect(await bank.balanceOf('a')).toBe(100)
  const people = {
    ...request,
    commandId: randomUUID(),
    command: { type: 'TakeOut', data: { transferId: 'y', amount: 500 } } as const,
  }
  expect(await codeOf(warm.handle(people))).toBe('insufficient_funds')
  expect(await bank.typesIn(bank.accountStream.category, 'a')).toHaveLength(2)
})

test('a step that was refused stays refused when its reason goes before the process has recorded it', async () => {
  const bank = openBank()
  const from = await store.head()
  const asked = await bank.transfer('a', 'b', 30)
  const whileDead = () => bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 100 } })
  await followUntilQuiet(bank, from, { dieAt: 1, whileDead })
  expect(await bank.statusOf(asked)).toBe('failed')
  expect(await bank.balanceOf('a')).toBe(100)
})

test('random transfers between few accounts, killed and doubled at random, keep the sum of all money', async () => {
  const bank = openBank()
  const from = await store.head()
  const chance = chanceFrom(20_261_201)
  const ids = ['a', 'b', 'c', 'd', 'e']
  for (const id of ids) await bank.account(id, { type: 'PutIn', data: { transferId: 'cash', amount: 50 } })
  const asked: TransferData[] = []
  for (const source of ids)
    for (const destination of ids)
      if (source !== destination) asked.push(await bank.transfer(source, destination, chance.between(1, 40)))
  await bank.account('e', { type: 'Close' })
  for (let at = 3; at < 60; at += 11) await followUntilQuiet(bank, from, { dieAt: at, doubled: at % 2 === 0 })
  const statuses = await Promise.all(asked.map(bank.statusOf))
  expect(Object.keys(endings)).toEqual(expect.arrayContaining(statuses))
  const balances = await Promise.all(ids.map(bank.balanceOf))
  expect(balances.reduce((sum, balance) => sum + balance)).toBe(250)
  expect(Math.min(...balances)).toBeGreaterThanOrEqual(0)
  for (const id of ids) {
    const postings = await bank.postingsOf(id)
    const doubled = postings.filter((posting, n) => !posting.endsWith(`cash`) && postings.indexOf(posting) !== n)
    expect(doubled).toEqual([])
  }
})

/** The follower and the worker as the jobs service runs them. */
const startRunner = (contexts: Parameters<typeof processesOf>[0]) => {
  const { pool, prepare } = openDatabase(database.url, logger)
  const runner = createProcessRunner({ store, logger })
  const consequences = processesOf(contexts, runner)
  const following = startProjection({
    store,
    sink: openConsequencesSink({ ...consequences, pool, prepare, store, logger }),
    projection: consequences.projection,
    logger,
  })
  const tasks = trackedTasks({ [runProcessJob]: runProcessTask(contexts, runner) }, openLedger(pool), logger, [
    'process_waiting',
  ])
  const worker = startWorker({
    database: { pool, prepare },
    tasks,
    jobsAtOnceMax: 4,
    pollEveryMs: 100,
    retryDelayMsMax: 500,
    logger,
  })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= Promise.all([following.stop(), worker.stop()]).then(() => pool.end())
    return stopped
  }
  onTestFinished(stop)
  return {
    following,
    stop,
    registered: async () => (await pool.query('select kind from headwater.followed_kinds')).rows,
  }
}

const listed = async (bank: Bank) => {
  const text = 'select due_at, trouble from headwater.processes where process = $1'
  return (await database.client.query(text, [bank.transferStream.category])).rows
}

test('what is due later is done when it is due, and an operator sees when', { timeout: 60_000 }, async () => {
  const bank = openBank()
  const { following } = startRunner([bank.bank])
  await following.whenLive()
  const data = { from: 'a', to: 'b', amount: 1, lapsesAt: new Date(Date.now() + 3_000).toISOString() }
  await bank.order('OrderPlaced', data)
  await until('the process is listed with its time', async () => (await listed(bank))[0]?.due_at !== undefined)
  expect(await listed(bank)).toEqual([{ due_at: new Date(data.lapsesAt), trouble: null }])
  await until('the transfer lapses', async () => (await bank.statusOf(data)) === 'lapsed')
  await until('the process is not listed any more', async () => (await listed(bank)).length === 0)
  expect(await bank.postingsOf('a')).toEqual([])
})

test('a refusal that passes holds up this process alone, until it has passed', { timeout: 60_000 }, async () => {
  const bank = openBank()
  const { following } = startRunner([bank.bank])
  await following.whenLive()
  for (const id of ['a', 'c']) await bank.account(id, { type: 'PutIn', data: { transferId: 'cash', amount: 9 } })
  await bank.account('b', { type: 'MakeBusy' })
  const held = await bank.transfer('a', 'b', 5)
  await until('the process waits', async () => (await listed(bank))[0]?.trouble === 'account_busy')
  const other = await bank.transfer('c', 'd', 5)
  await until('the other transfer completes', async () => (await bank.statusOf(other)) === 'completed')
  expect(await bank.statusOf(held)).toBe('taken out')
  await bank.account('b', { type: 'Free' })
  await until('the held transfer completes', async () => (await bank.statusOf(held)) === 'completed')
  expect(await bank.typesIn(bank.accountStream.category, 'b')).toEqual(['MadeBusy', 'Freed', 'PutIn'])
})

test('a new process misses nothing while an older version leads, and does nothing about what was before it', {
  timeout: 60_000,
}, async () => {
  const [known, added] = [openBank(), openBank()]
  const old = startRunner([known.bank])
  await old.following.whenLive()
  for (const bank of [known, added])
    await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 50 } })
  const before = await added.transfer('a', 'early', 1)
  const both = context({ ...known.bank, processes: [...(known.bank.processes ?? []), ...(added.bank.processes ?? [])] })
  const next = startRunner([both])
  await until('the new process is registered', async () => {
    const kinds = (await next.registered()).map(({ kind }) => kind)
    return kinds.includes(added.transferStream.category)
  })
  const missed = await added.transfer('a', 'b', 5)
  const led = await known.transfer('a', 'b', 5)
  await until('the older version has passed it', async () => (await known.statusOf(led)) === 'completed')
  expect(await added.statusOf(missed)).toBe('waiting')
  await old.stop()
  await until('the new process does what was passed over', async () => (await added.statusOf(missed)) === 'completed')
  expect(await added.typesIn(added.transferStream.category, transferIdOf(before.from, before.to))).toEqual([])
  expect(await known.postingsOf('b')).toEqual(['PutIn a.b'])

  await next.stop()
  const latest = openBank()
  await latest.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 50 } })
  const beforeItsStart = await latest.transfer('a', 'early', 1)
  const third = startRunner([both, latest.bank])
  await third.following.whenLive()
  const after = await latest.transfer('a', 'b', 5)
  await until('what came after its start is done', async () => (await latest.statusOf(after)) === 'completed')
  expect(await latest.statusOf(beforeItsStart)).toBe('waiting')
})

test('a step that cannot go on parks its own process, and the others go on', { timeout: 60_000 }, async () => {
  const bank = openBank()
  const { following } = startRunner([bank.bank])
  await following.whenLive()
  await bank.account('a', { type: 'PutIn', data: { transferId: 'cash', amount: 50 } })
  const broken: TransferCommand = { type: 'Request', data: { from: 'a', to: 'x', amount: 1, lapsesAt: 'not a time' } }
  const transfers = createCommandHandler({ store, stream: bank.transferStream, logger })
  const commandId = randomUUID()
  await transfers.handle({ id: 'broken', command: broken, commandId, requestHash: commandId, actor: 'a person' })
  const good = await bank.transfer('a', 'b', 5)
  await until('the other transfer completes', async () => (await bank.statusOf(good)) === 'completed')
  await until('the broken one is parked', () => following.status().parked.length === 1)
  expect(following.status().parked[0]?.event.stream).toBe(streamName(bank.transferStream.category, 'broken'))
})
