// The embedded event store by itself: what an event costs it, and what durability and size do.
import path from 'node:path'
import { inTurns, type Measure, type Result } from '../measure.ts'
import type { Processes } from '../processes.ts'
import type { NodeTasks } from '../workers/node.ts'
import type { NodeClientTasks } from '../workers/node-client.ts'
import type { StoreBuilderTasks } from '../workers/store-builder.ts'

const durationMs = 4_000
const quickDurationMs = 500
const inFlight = 64
const eventsACall = 10
const eventsRead = 100_000
const burstAppends = 1_000
const live = { subscriptions: 1_000, perSecond: 10, seconds: 10 }
const eventsAStream = 10
const streamsOf = { small: 1_000, large: 100_000 }
const prefix = 'node'
const startMsMax = 1_000
const memoryStartMsMax = 150
const memoryMiBMax = 200
const cpuUsMax = 10
const mebibyte = 1_024 * 1_024

type Pair = Awaited<ReturnType<typeof startPair>>

const startPair = async (processes: Processes, options: Parameters<NodeTasks['start']>[0]) => {
  const node = processes.worker<NodeTasks>('workers/node.ts')
  const { url, tookMs } = await node.call('start', options)
  const client = processes.worker<NodeClientTasks>('workers/node-client.ts')
  await client.call('open', { url })
  return {
    tookMs,
    client,
    memoryMiB: async () => (await node.call('memoryBytes', undefined)) / mebibyte,
    /** Processor time of the node while `act` runs, in microseconds for each of what it answers. */
    cpuUsEach: async (act: () => Promise<number>): Promise<number> => {
      const before = await node.call('cpuUs', undefined)
      const count = await act()
      return ((await node.call('cpuUs', undefined)) - before) / count
    },
    stop: async () => {
      await client.stop()
      await node.stop()
    },
  }
}

const fill = async (processes: Processes, directory: string, streams: number) => {
  const builder = processes.worker<StoreBuilderTasks>('workers/store-builder.ts')
  await builder.call('fill', { directory, prefix, streams, eventsEach: eventsAStream })
  await builder.stop()
}

const rates = async (pairs: Record<'durable' | 'unflushed' | 'memory', Pair>, rounds: number, ms: number) => {
  const rate = (pair: Pair, events: number) => () => pair.client.call('append', { inFlight, events, durationMs: ms })
  const sides = {
    durable: rate(pairs.durable, 1),
    unflushed: rate(pairs.unflushed, 1),
    memory: rate(pairs.memory, 1),
    tens: async () => (await rate(pairs.durable, eventsACall)()) * eventsACall,
  }
  await inTurns(1, sides)
  return inTurns(rounds, sides)
}

export const node: Measure = {
  name: 'node',
  title: 'The embedded event store by itself',
  how: `The node is one process, client 6.2.1 another; both share the machine, and the client takes 60 to 85 % of what the pair uses. Reading: a stream of
${eventsRead.toLocaleString('en')} events of about 200 bytes, and the processor time of the node divided by their number. Appending: ${inFlight} in flight, each to a
stream of its own; on a file as always, on a file without waiting for the disk, and in memory, in turns. Size: ${streamsOf.small} and
${streamsOf.large.toLocaleString('en')} streams of ${eventsAStream} events.`,
  run: async ({ processes, rounds, quick, directory, say }): Promise<readonly Result[]> => {
    const ms = quick ? quickDurationMs : durationMs
    const large = quick ? streamsOf.small * 5 : streamsOf.large
    const at = (name: string) => path.join(directory, name)
    const pairs = {
      durable: await startPair(processes, { directory: at('durable') }),
      unflushed: await startPair(processes, { directory: at('unflushed'), unsafeDisableFlushToDisk: true }),
      memory: await startPair(processes, { memory: true }),
    }
    say('reading')
    const events = quick ? eventsRead / 10 : eventsRead
    await pairs.durable.client.call('fill', { stream: 'read-1', events })
    const read = () => pairs.durable.cpuUsEach(() => pairs.durable.client.call('read', { stream: 'read-1' }))
    await read()
    const { reading } = await inTurns(rounds, { reading: read })
    say('appending')
    const appended = await rates(pairs, rounds, ms)
    const failed = await pairs.durable.client.call('burst', { appends: burstAppends })
    say('1,000 subscriptions')
    const told = await pairs.memory.client.call('subscribeAndPublish', quick ? { ...live, seconds: 2 } : live)
    for (const pair of Object.values(pairs)) await pair.stop()

    say('building a small store and a large one')
    await fill(processes, at('small'), streamsOf.small)
    await fill(processes, at('large'), large)
    const sized = {
      small: await startPair(processes, { directory: at('small') }),
      large: await startPair(processes, { directory: at('large') }),
    }
    const appendCost = (pair: Pair) => async () =>
      1_000 / (await pair.client.call('append', { inFlight, events: 1, durationMs: ms }))
    const readCost = (pair: Pair, streams: number) => async () =>
      1_000 / (await pair.client.call('readMany', { prefix, streams, durationMs: ms }))
    const onBoth = async (small: () => Promise<number>, big: () => Promise<number>) => {
      await inTurns(1, { small, big })
      return inTurns(rounds, { small, big })
    }
    say('the same work on both')
    const appendOnBoth = await onBoth(appendCost(sized.small), appendCost(sized.large))
    const readOnBoth = await onBoth(readCost(sized.small, streamsOf.small), readCost(sized.large, large))
    const memoryMiB = await sized.large.memoryMiB()
    for (const pair of Object.values(sized)) await pair.stop()

    return [
      {
        what: 'reading an event, processor time of the node',
        unit: 'us',
        ours: reading,
        goal: { of: 'figure', below: cpuUsMax },
      },
      {
        what: 'durable appends, beside the same file without waiting for the disk',
        unit: '1/s',
        ours: appended.durable,
        beside: { name: 'unflushed', figures: appended.unflushed },
        goal: { of: 'ratio', atLeast: 0.85 },
      },
      {
        what: 'durable appends, beside memory',
        unit: '1/s',
        ours: appended.durable,
        beside: { name: 'memory', figures: appended.memory },
        goal: { of: 'ratio', atLeast: 0.45 },
      },
      {
        what: `${eventsACall} events a call`,
        unit: 'events/s',
        ours: appended.tens,
        beside: { name: 'one a call', figures: appended.durable },
        goal: { of: 'ratio', atLeast: 3 },
      },
      {
        what: `${burstAppends.toLocaleString('en')} appends at once, failed`,
        unit: '',
        ours: [failed],
        goal: { of: 'figure', below: 1 },
      },
      {
        what: `${live.subscriptions.toLocaleString('en')} subscriptions to $all, ${live.perSecond} events/s: not delivered`,
        unit: '',
        ours: [told.missing],
        goal: { of: 'figure', below: 1 },
      },
      { what: 'the same, from append to the slowest of a hundred subscribers', unit: 'ms', ours: [told.p99Ms] },
      {
        what: 'an append on a large store',
        unit: 'ms',
        ours: appendOnBoth.big,
        beside: { name: 'small', figures: appendOnBoth.small },
        goal: { of: 'ratio', below: 1.5 },
      },
      {
        what: 'reading a whole stream of a large store',
        unit: 'ms',
        ours: readOnBoth.big,
        beside: { name: 'small', figures: readOnBoth.small },
        goal: { of: 'ratio', below: 1.5 },
      },
      {
        what: 'start of a large store',
        unit: 'ms',
        ours: [sized.large.tookMs],
        goal: { of: 'figure', below: startMsMax },
      },
      {
        what: 'start in memory',
        unit: 'ms',
        ours: [pairs.memory.tookMs],
        goal: { of: 'figure', below: memoryStartMsMax },
      },
      {
        what: 'memory after that work on a large store',
        unit: 'MiB',
        ours: [memoryMiB],
        goal: { of: 'figure', below: memoryMiBMax },
      },
    ]
  },
}
