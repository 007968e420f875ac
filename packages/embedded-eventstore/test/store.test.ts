// Promises of the store below the protocol: answers only after the commit, bounded queues, and no caches of rolled-back writes.
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { start } from '../src/start.ts'
import { openDatabase } from '../src/store/database.ts'
import { openStore } from '../src/store/store.ts'
import type { Outcome, Write } from '../src/store/writer.ts'

const started = () => {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  const store = openStore(directory)
  onTestFinished(() => {
    store.close()
    rmSync(directory, { recursive: true })
  })
  const append = (change: Partial<Write> = {}) =>
    new Promise<Outcome>((resolve) => store.write(appendOf(change), resolve))
  return { store, append, walBytes: () => statSync(join(directory, 'eventstore.sqlite-wal')).size }
}

let ids = 0
const eventOf = (id = Buffer.alloc(16, ++ids)) => ({
  id,
  type: 'Added',
  contentType: undefined,
  customMetadata: Buffer.alloc(0),
  data: Buffer.alloc(10),
})
const appendOf = (change: Partial<Write> = {}): Write => ({
  kind: 'append',
  streamName: 'x',
  expected: 'any',
  events: [eventOf()],
  deadlineAtMs: Number.POSITIVE_INFINITY,
  bytes: 10,
  ...change,
})

test('an append is answered after its commit has reached the file', async () => {
  const { store, append, walBytes } = started()
  await append()
  const before = walBytes()
  const whenAnswered = new Promise<number>((resolve) => store.write(appendOf(), () => resolve(walBytes())))
  expect(await whenAnswered).toBeGreaterThan(before)
})

test('an append whose deadline passes in the queue is not written', async () => {
  const { store, append } = started()
  expect(await append({ deadlineAtMs: Date.now() - 1 })).toEqual({ kind: 'timed out' })
  expect(store.head()).toBe(0)
})

test('the queue is bounded by number and by size, and appends above the bound are refused at once', async () => {
  const { store, append } = started()
  const waiting = Array.from({ length: 20_000 }, () => append({ events: [] }))
  let refused: Outcome | undefined
  store.write(appendOf(), (outcome) => {
    refused = outcome
  })
  expect(refused).toEqual({ kind: 'busy' })
  await Promise.all(waiting)
  const large = Array.from({ length: 8 }, () => append({ events: [], bytes: 16 * 1024 * 1024 }))
  store.write(appendOf(), (outcome) => {
    refused = outcome
  })
  expect(refused).toEqual({ kind: 'busy' })
  await Promise.all(large)
  expect(await append()).toMatchObject({ kind: 'success', revision: 0 })
})

test('a failed group leaves no events, in the file or in memory', async () => {
  const { store, append } = started()
  const noId = eventOf(Buffer.alloc(0))
  const outcomes = await Promise.all([append({ expected: 'no stream' }), append({ streamName: 'y', events: [noId] })])
  expect(outcomes.map(({ kind }) => kind)).toEqual(['failed', 'failed'])
  expect(store.names.head('x')).toMatchObject({ stream: undefined, revision: -1 })
  expect(await append({ expected: 'no stream' })).toEqual({ kind: 'success', revision: 0, position: 1 })
  const { stream = -1 } = store.names.head('x')
  expect(store.pages.stream(stream, 0, 'forwards', 10)).toHaveLength(1)
})

test('writes of one group are consecutive, and one may be refused without the others', async () => {
  const { store } = started()
  const writes = [appendOf(), appendOf({ streamName: 'y', expected: 'stream exists' }), appendOf({ streamName: 'z' })]
  const outcomes = await new Promise<Outcome[]>((resolve) => store.writeTogether(writes, resolve))
  expect(outcomes).toEqual([
    { kind: 'success', revision: 0, position: 1 },
    { kind: 'wrong expected revision', current: -1 },
    { kind: 'success', revision: 0, position: 2 },
  ])
})

test('different IDs with the same hash are distinguished', async () => {
  const { append } = started()
  const id = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const other = Buffer.from('00112233445500000000aabbccddeeff', 'hex')
  await append({ events: [eventOf(id)] })
  expect(await append({ events: [eventOf(other)] })).toEqual({ kind: 'success', revision: 1, position: 2 })
  expect(await append({ events: [eventOf(id)] })).toEqual({ kind: 'success', revision: 0, position: 1 })
  expect(await append({ events: [eventOf(other)] })).toEqual({ kind: 'success', revision: 1, position: 2 })
})

test('finishing writes and answers pending appends, and refuses later ones', () => {
  const { store } = started()
  const outcomes: Outcome[] = []
  for (let appends = 0; appends < 2_500; appends++) store.write(appendOf(), (outcome) => outcomes.push(outcome))
  store.finish()
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 2_500 }, () => 'success'))
  store.write(appendOf(), (outcome) => outcomes.push(outcome))
  expect(outcomes.at(-1)).toEqual({ kind: 'not ready' })
})

test('every commit is flushed to disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  const database = openDatabase(directory)
  const full = 2
  expect(database.pragma('synchronous', { simple: true })).toBe(full)
  expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
  database.close()
  rmSync(directory, { recursive: true })
})

test.runIf(process.platform === 'linux')('the node listens only on the loopback address by default', async () => {
  const node = await start({ memory: true })
  // On Linux all of 127.0.0.0/8 is this machine: a node on every interface would answer here, too.
  const [error] = await once(connect(node.port, '127.0.0.2'), 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
  await node.stop()
})
