// No link is lost or doubled by a restart, kill -9 or a full disk.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ProjectionMode } from '../src/projections/projections.ts'
import { start } from '../src/start.ts'
import { added, collect, many } from './helpers.ts'
import { startNode } from './node-process.ts'
import { caughtUp, linksOf, projectionNames, textOf } from './projections-helpers.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'embedded-eventstore-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const startHere = async (systemProjections: ProjectionMode = 'stopped') => {
  const store = await start({ directory, systemProjections })
  const client = EventStoreDBClient.connectionString(store.connectionString)
  return {
    client,
    stop: async (): Promise<void> => {
      await client.dispose()
      await store.stop()
    },
  }
}

const startChild = async (command = [process.execPath]) => {
  const node = await startNode(directory, { command, options: ['--system-projections', 'running'] })
  return { node, client: EventStoreDBClient.connectionString(node.connectionString) }
}

/** Every users' event must be linked once in its streams, in the order of $all, and no other event. */
const expectExactlyOnce = async (client: EventStoreDBClient): Promise<number> => {
  const wanted = new Map<string, string[]>()
  const found = new Map<string, string[]>()
  const add = (to: Map<string, string[]>, stream: string, link: string) =>
    to.set(stream, [...(to.get(stream) ?? []), link])
  let events = 0
  for await (const { event } of client.readAll()) {
    if (!event) continue
    if (/^\$(?:ce|et|bc|category)-|^\$streams$/.test(event.streamId)) add(found, event.streamId, textOf(event))
    if (event.streamId.startsWith('$')) continue
    events++
    const target = `${event.revision}@${event.streamId}`
    const category = event.streamId.split('-')[0]
    const { $correlationId } = event.metadata as { $correlationId: string }
    for (const stream of [`$ce-${category}`, `$et-${event.type}`, `$bc-${$correlationId}`]) add(wanted, stream, target)
    if (event.revision > 0n) continue
    add(wanted, '$streams', target)
    add(wanted, `$category-${category}`, event.streamId)
  }
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
  return events
}

const isBehind = async (client: EventStoreDBClient): Promise<boolean> => {
  const checkpoints = '$projections-$by_category-checkpoint'
  const newest = { direction: 'backwards', fromRevision: 'end', maxCount: 1 } as const
  const [checkpoint] = await collect(client.readStream(checkpoints, newest))
  const { $c: linked = 0 } = (checkpoint?.event?.metadata ?? {}) as { $c?: number }
  const position = BigInt(linked) + 1n
  const after = await collect(client.readAll({ fromPosition: { commit: position, prepare: position } }))
  return after.some(({ event }) => !event?.streamId.startsWith('$'))
}

test('enabled projections resume after a restart', async () => {
  const before = await startHere()
  await before.client.enableProjection('$by_category')
  await before.client.enableProjection('$streams')
  await before.client.disableProjection('$streams')
  await before.client.updateProjection('$stream_by_category', 'last\n-')
  await before.client.appendToStream('a-1', many(150))
  // May stop in the middle of catching up: the outcome is the same.
  await before.stop()

  const after = await startHere()
  await after.client.appendToStream('a-1', many(1))
  await caughtUp(after.client)
  expect(await linksOf(after.client, '$ce-a')).toEqual(Array.from({ length: 151 }, (_, revision) => `${revision}@a-1`))
  const listed = await after.client.listProjections()
  expect(listed.filter(({ status }) => status === 'Running').map(({ name }) => name)).toEqual(['$by_category'])
  await after.client.enableProjection('$stream_by_category')
  await after.client.appendToStream('a-b-c', many(1))
  await caughtUp(after.client)
  expect(await linksOf(after.client, '$category-a-b')).toEqual(['a-b-c'])
  await after.stop()

  const off = await startHere('off')
  await off.client.appendToStream('a-1', many(1))
  await off.stop()
  const again = await startHere('running')
  await caughtUp(again.client)
  expect(await linksOf(again.client, '$ce-a')).toHaveLength(153)
  expect((await again.client.listProjections()).map(({ status }) => status)).toEqual(
    projectionNames.map(() => 'Running'),
  )
  await again.stop()
})

test('a reset before a restart takes effect once', async () => {
  const before = await startHere('running')
  await before.client.appendToStream('a-1', many(120))
  await caughtUp(before.client)
  await before.client.resetProjection('$by_category')
  await before.stop()
  for (const _ of [1, 2]) {
    const after = await startHere('running')
    await caughtUp(after.client)
    expect(await linksOf(after.client, '$ce-a')).toEqual(
      Array.from({ length: 120 }, (_, revision) => `${revision}@a-1`),
    )
    await after.stop()
  }
})

const rounds = Number(process.env.PROJECTION_ROUNDS ?? 1)
const msOfRoundMax = 60_000

test('links are complete and unique after kill -9 during appends', {
  timeout: (rounds + 1) * msOfRoundMax,
}, async () => {
  const appendsInFlight = 20
  const appendsBeforeKill = 150
  let behind = 0
  for (let round = 0; round < rounds; round++) {
    const { node, client } = await startChild()
    const enough = Promise.withResolvers<void>()
    let appends = 0
    let killed = false
    const append = async (number: number): Promise<void> => {
      while (!killed) {
        await client.appendToStream(`c${number % 3}-${round}-${number}`, [added(number), added(appends)])
        if (++appends >= appendsBeforeKill) enough.resolve()
      }
    }
    // Appends in flight when the server dies fail or get no answer.
    for (let number = 0; number < appendsInFlight; number++) append(number).catch(() => {})
    await enough.promise
    // Enough pages to be killed between two of them.
    await client.appendToStream(`c0-${round}-many`, many(500))
    killed = true
    await node.kill()
    client.dispose().catch(() => {})

    const store = await startHere('off')
    if (await isBehind(store.client)) behind++
    await store.stop()
  }
  const store = await startHere('running')
  await caughtUp(store.client)
  expect(await expectExactlyOnce(store.client)).toBeGreaterThanOrEqual(rounds * appendsBeforeKill * 2)
  // At least one kill came before all links were written.
  expect(behind).toBeGreaterThan(0)
  await store.stop()
})

const hasLimits = spawnSync('prlimit', ['-V']).status === 0
// A process limit instead of a full disk: SQLite gets the same error.
const limited = ['sh', '-c', `trap '' XFSZ; ulimit -S -f 3072; exec "$@"`, 'sh', process.execPath]

test.runIf(hasLimits)('a projection reports a full disk, and continues when there is space', async () => {
  const { node, client } = await startChild(limited)
  const appendUntilRefused = async (events: number): Promise<void> => {
    for (let number = 0; ; number++) {
      try {
        await client.appendToStream(`c${number % 3}-${events}-${number}`, many(events))
      } catch {
        return
      }
    }
  }
  // Large appends, so that links are behind when the disk is full.
  await appendUntilRefused(500)
  await appendUntilRefused(1)
  const reasons = async () => (await client.listProjections()).map(({ stateReason }) => stateReason).join('')
  await expect.poll(reasons).not.toBe('')
  spawnSync('prlimit', ['--pid', String(node.child.pid), '--fsize=unlimited:'])
  await caughtUp(client)
  expect(await reasons()).toBe('')
  expect(await expectExactlyOnce(client)).toBeGreaterThan(500)
  await client.dispose()
  expect(await node.stop()).toBe(0)
})

test('an unknown mode is refused', async () => {
  const options = ['--system-projections', 'maybe']
  await expect(startNode(directory, { options })).rejects.toThrow('"maybe" is none of off, stopped, running')
})
