// Disk faults: no event is acknowledged before it is flushed, and a failing disk loses answers, not events.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { binaryEvent, EventStoreDBClient } from '@eventstore/db-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { added, classic, collect, ofUsers } from './helpers.ts'
import { startNode } from './node-process.ts'

const has = (program: string): boolean => spawnSync(program, ['-V']).status === 0

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const idsIn = async (client: EventStoreDBClient): Promise<string[]> =>
  ofUsers(await collect(client.readAll())).flatMap(({ event }) => (event ? [event.id] : []))

const large = () => binaryEvent({ type: 'Added', data: Buffer.alloc(200_000, 0x20) })

/** Appends until one fails; returns the IDs of acknowledged events, and of the failed one. */
const appendUntilRefused = async (client: EventStoreDBClient) => {
  const acknowledged: string[] = []
  for (;;) {
    const event = large()
    try {
      await client.appendToStream('full', event)
      acknowledged.push(event.id)
    } catch (error) {
      return { acknowledged, refused: event.id, error }
    }
  }
}

// A process limit on file size instead of a full disk: it needs no rights, and SQLite gets the same error.
const blocksMax = 8_192
const limited = ['sh', '-c', `trap '' XFSZ; ulimit -S -f ${blocksMax}; exec "$@"`, 'sh', process.execPath]

test.runIf(has('prlimit'))(
  'a full disk fails appends and keeps serving reads, and appends succeed again when there is space',
  async () => {
    const directory = join(folder, 'data')
    const node = await startNode(directory, { command: limited })
    const client = EventStoreDBClient.connectionString(node.connectionString)
    const { acknowledged, refused, error } = await appendUntilRefused(client)
    expect(error).toMatchObject({ type: 'unknown' })
    expect(acknowledged.length).toBeGreaterThan(5)
    expect(await idsIn(client)).toEqual(acknowledged)
    // The older append method gets the reason.
    const other = client.appendToStream('full', large(), classic)
    await expect(other).rejects.toThrow(/Nothing was written: /)

    spawnSync('prlimit', ['--pid', String(node.child.pid), '--fsize=unlimited:'])
    const after = added()
    await client.appendToStream('full', after)
    await client.dispose()
    await node.kill()

    const again = await startNode(directory)
    const reader = EventStoreDBClient.connectionString(again.connectionString)
    const found = await idsIn(reader)
    expect(found).toEqual([...acknowledged, after.id])
    expect(found).not.toContain(refused)
    await reader.dispose()
    expect(await again.stop()).toBe(0)
  },
)

// -D: the started process is the node, with strace beside it.
const traced = (trace: string, ...more: string[]) => [
  ...[
    'strace',
    '-D',
    '-f',
    '-y',
    '-s',
    '0',
    '-o',
    trace,
    '-e',
    'trace=pwrite64,fsync,fdatasync,write,writev,sendmsg,sendto',
  ],
  ...more,
  process.execPath,
]
const appends = 20

test.runIf(has('strace'))('no answer is sent between a write to the log and its flush', async () => {
  const trace = join(folder, 'trace')
  const node = await startNode(join(folder, 'data'), { command: traced(trace) })
  const client = EventStoreDBClient.connectionString(node.connectionString)
  for (let number = 0; number < appends; number++) await client.appendToStream('traced', added(number))
  await client.dispose()
  await node.stop()

  let flushes = 0
  let isFlushed = true
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) isFlushed = false
    else if (/f(data)?sync\(\d+<[^>]*-wal>\) += 0/.test(line)) {
      isFlushed = true
      flushes++
    } else if (/(write|writev|sendmsg|sendto)\(\d+<(socket|TCP)/.test(line)) expect(isFlushed, line).toBe(true)
  }
  expect(flushes).toBeGreaterThanOrEqual(appends)
})

test.runIf(has('strace'))('a failed flush is never acknowledged', async () => {
  const directory = join(folder, 'data')
  const failing = ['-e', 'inject=fsync,fdatasync:error=EIO:when=12+3']
  const node = await startNode(directory, { command: traced('/dev/null', ...failing) })
  const client = EventStoreDBClient.connectionString(node.connectionString)
  const outcomes = []
  for (let number = 0; number < appends; number++) {
    const event = added(number)
    const [outcome] = await Promise.allSettled([client.appendToStream('failing', event)])
    outcomes.push({ id: event.id, isAcknowledged: outcome?.status === 'fulfilled' })
  }
  const acknowledged = outcomes.flatMap(({ id, isAcknowledged }) => (isAcknowledged ? [id] : []))
  expect(acknowledged.length).toBeGreaterThan(0)
  expect(acknowledged.length).toBeLessThan(appends)
  expect(await idsIn(client)).toEqual(acknowledged)
  await client.dispose()
  await node.stop()

  const again = await startNode(directory)
  const reader = EventStoreDBClient.connectionString(again.connectionString)
  expect(await idsIn(reader)).toEqual(acknowledged)
  await reader.dispose()
  await again.stop()
})
