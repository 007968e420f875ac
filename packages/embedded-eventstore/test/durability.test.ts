// Acknowledged events are on disk: after a restart, after kill -9, and with at most one process per folder.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EventStoreDBClient, NO_STREAM } from '@eventstore/db-client'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { Client, credentials } from '@grpc/grpc-js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { ownAppend, textEvent } from '../src/store/own-events.ts'
import { openStore } from '../src/store/store.ts'
import { added, batchAppend, collect, many, ofUsers, openBatch } from './helpers.ts'

const { BatchAppendResp } = streamsPb

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

let directory = ''
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'embedded-eventstore-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

const run = (...options: string[]): ChildProcess => {
  const child = spawn(process.execPath, [main, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

const output = async (stream: NodeJS.ReadableStream | null): Promise<string> => {
  let text = ''
  for await (const part of stream ?? []) text += part
  return text
}

const listening = async (child: ChildProcess): Promise<{ connectionString: string }> => {
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data')
  return JSON.parse(String(line))
}

test('stopping answers all received appends of many concurrent calls: every written event was acknowledged', async () => {
  const before = await start({ directory })
  const raw = new Client(`127.0.0.1:${before.port}`, credentials.createInsecure())
  const [calls, appends] = [5, 1_000]
  let answered = 0
  let stopped: Promise<void> | undefined
  const ended = Array.from({ length: calls }, async (_, number) => {
    const call = openBatch(raw)
    call.on('data', (message: Buffer) => {
      if (BatchAppendResp.deserializeBinary(message).hasSuccess()) answered++
      // At this moment appends of the same turn are still pending.
      if (answered === appends) stopped ??= before.stop()
    })
    call.on('error', () => {})
    const over = new Promise((resolve) => call.on('status', resolve))
    for (let n = 0; n < appends; n++) call.write(Buffer.from(batchAppend(`stopping-${number}`)))
    await over
  })
  await Promise.all(ended)
  await stopped
  raw.close()

  const after = await start({ directory })
  const client = EventStoreDBClient.connectionString(after.connectionString)
  expect(answered).toBeGreaterThan(0)
  expect(ofUsers(await collect(client.readAll()))).toHaveLength(answered)
  await client.dispose()
  await after.stop()
})

test('a restart keeps every event, its position, and the rules for repeats', async () => {
  const before = await start({ directory })
  const client = EventStoreDBClient.connectionString(before.connectionString)
  const events = many(300)
  const first = await client.appendToStream('kept', events, { expectedRevision: NO_STREAM })
  const stored = await collect(client.readAll())
  await client.dispose()
  await before.stop()

  const after = await start({ directory })
  const again = EventStoreDBClient.connectionString(after.connectionString)
  expect(await collect(again.readAll())).toEqual(stored)
  expect(await again.appendToStream('kept', events, { expectedRevision: NO_STREAM })).toEqual(first)
  const next = await again.appendToStream('kept', added(), { expectedRevision: 299n })
  expect(next.position?.commit).toBe(BigInt(stored.length + 1))
  await again.dispose()
  await after.stop()
})

test('a database from a version without system events is opened unchanged', async () => {
  const before = openStore(directory)
  await new Promise((resolve) => before.write(ownAppend('old', [textEvent('Added', '')]), resolve))
  before.close()
  const after = await start({ directory })
  const client = EventStoreDBClient.connectionString(after.connectionString)
  expect((await collect(client.readAll())).map(({ event }) => event?.streamId)).toEqual(['old'])
  await client.dispose()
  await after.stop()
})

test('every acknowledged event is there after kill -9 during concurrent appends and a restart', async () => {
  const acknowledged = new Map<string, bigint>()
  const rounds = 3
  const appendsInFlight = 40
  const killAfter = 250
  for (let round = 0; round < rounds; round++) {
    const child = run('--port', '0', '--directory', directory)
    const { connectionString } = await listening(child)
    const client = EventStoreDBClient.connectionString(connectionString)
    let inRound = 0
    let killed = false
    const { promise: enough, resolve } = Promise.withResolvers<void>()
    const writer = async (number: number): Promise<void> => {
      while (!killed) {
        const event = added(number)
        const result = await client.appendToStream(`s-${number % 7}`, event)
        acknowledged.set(event.id, result.position?.commit ?? -1n)
        if (++inRound >= killAfter) resolve()
      }
    }
    // Appends in flight when the server dies fail or get no answer: their outcome is unknown.
    for (let number = 0; number < appendsInFlight; number++) writer(number).catch(() => {})
    await enough
    killed = true
    child.kill('SIGKILL')
    await once(child, 'exit')
    client.dispose().catch(() => {})

    const store = await start({ directory })
    const reader = EventStoreDBClient.connectionString(store.connectionString)
    const found = new Map<string, bigint>()
    const next = new Map<string, bigint>()
    for await (const { event } of reader.readAll()) {
      if (!event) continue
      found.set(event.id, event.position?.commit ?? -2n)
      expect(event.revision).toBe(next.get(event.streamId) ?? 0n)
      next.set(event.streamId, event.revision + 1n)
    }
    for (const [id, position] of acknowledged) expect(found.get(id)).toBe(position)
    await reader.dispose()
    await store.stop()
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(rounds * killAfter)
})

test('a second process on the same folder is refused with a clear message', async () => {
  const store = await start({ directory })
  await expect(start({ directory })).rejects.toThrow(/Another process uses .*eventstore\.sqlite/)
  const child = run('--port', '0', '--directory', directory)
  const [text, [code]] = await Promise.all([output(child.stderr), once(child, 'exit')])
  expect(text).toMatch(/Another process uses .*eventstore\.sqlite/)
  expect(code).toBe(1)
  await store.stop()
  const next = await start({ directory })
  await next.stop()
})

test('the process prints its address and ends cleanly at SIGTERM, with live subscriptions', async () => {
  const child = run('--port', '0', '--directory', directory)
  const { connectionString } = await listening(child)
  const client = EventStoreDBClient.connectionString(connectionString)
  await client.appendToStream('x', added())
  const subscription = client.subscribeToAll()
  const error = once(subscription, 'error')
  const seen = once(subscription, 'data')
  await seen
  child.kill('SIGTERM')
  const [[code], [ended]] = await Promise.all([once(child, 'exit'), error])
  expect(code).toBe(0)
  expect(ended).toMatchObject({ type: 'unavailable' })
  await client.dispose()
})

test('--help prints the options, and unknown options and a port in use are refused', async () => {
  const help = run('--help')
  expect(await output(help.stdout)).toContain('--directory')
  const unknown = run('--nonsense')
  expect(await output(unknown.stderr)).toContain('--help')
  const store = await start({ memory: true })
  await expect(start({ memory: true, port: store.port })).rejects.toThrow(/Cannot listen on/)
  await store.stop()
})
