// A node detects a damaged file at its start and refuses it: it never serves lost or changed events.
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventStoreDBClient } from '@eventstore/db-client'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../src/store/store.ts'
import { added, collect, freshEvents, many } from './helpers.ts'
import { startNode } from './node-process.ts'

const damaged = /eventstore\.sqlite is damaged: .*Restore the last backup/
const flips = Number(process.env.DAMAGE_FLIPS ?? 12)
const timeout = 60_000 + flips * 500
const appendsToWal = 30
const walHeaderBytes = 32
const frameBytes = 24 + 4096

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'damage-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const file = (directory: string, ending = '') => join(directory, `eventstore.sqlite${ending}`)

let copies = 0
const copyOf = (directory: string): string => {
  const copy = join(folder, `copy-${++copies}`)
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') })
  return copy
}

/** Number of users' events in the database after opening it. */
const eventsIn = (directory: string): number => {
  const store = openStore(directory)
  try {
    return store.head() - freshEvents
  } finally {
    store.close()
  }
}

const flip = (path: string, at: number): void => {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  writeFileSync(path, bytes)
}

const fill = async (name: string, appends: number, end: 'stop' | 'kill'): Promise<string> => {
  const directory = join(folder, name)
  const node = await startNode(directory)
  const client = EventStoreDBClient.connectionString(node.connectionString)
  for (let number = 0; number < appends; number++) await client.appendToStream(`s-${number % 5}`, many(10))
  await client.dispose()
  await node[end]()
  return directory
}

const contentsOf = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !name.endsWith('.sock') && !name.endsWith('-shm'))
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex'),
    ])

test('a file with one changed byte at any offset after a stop is refused and left unchanged', { timeout }, async () => {
  const stopped = await fill('stopped', 40, 'stop')
  expect(eventsIn(copyOf(stopped))).toBe(400)
  const { size } = statSync(file(stopped))
  const places = fc.sample(fc.nat(size - 1), flips)
  for (const at of [0, 20, 100, size - 1, ...places]) {
    const copy = copyOf(stopped)
    flip(file(copy), at)
    const before = contentsOf(copy)
    expect(() => eventsIn(copy), `byte ${at}`).toThrow(damaged)
    expect(contentsOf(copy)).toEqual(before)
  }
})

test('a truncated, emptied or partly overwritten file is refused, also without a seal', async () => {
  const stopped = await fill('whole', 60, 'stop')
  const { size } = statSync(file(stopped))
  const page = 4096
  const damages: [what: string, damage: (path: string) => void, isFoundWithoutSeal: boolean][] = [
    ['cut', (path) => truncateSync(path, size - page), true],
    ['cut in a page', (path) => truncateSync(path, Math.floor(size / 2) + 100), true],
    ['emptied', (path) => truncateSync(path, 0), false],
    ['no header', (path) => writeFileSync(path, Buffer.alloc(page), { flag: 'r+' }), true],
    ['another file', (path) => writeFileSync(path, randomBytes(size)), true],
    [
      'a page overwritten',
      (path) => {
        const bytes = readFileSync(path)
        randomBytes(page).copy(bytes, Math.floor(size / page / 2) * page)
        writeFileSync(path, bytes)
      },
      true,
    ],
  ]
  for (const [what, damage, isFoundWithoutSeal] of damages) {
    const sealed = copyOf(stopped)
    damage(file(sealed))
    expect(() => eventsIn(sealed), what).toThrow(damaged)
    if (!isFoundWithoutSeal) continue
    const unsealed = copyOf(stopped)
    rmSync(file(unsealed, '.seal'))
    damage(file(unsealed))
    expect(() => eventsIn(unsealed), `${what}, without a seal`).toThrow(damaged)
  }
})

test('a truncated seal is ignored, and the file is served', async () => {
  const stopped = await fill('sealed', 3, 'stop')
  const cut = copyOf(stopped)
  truncateSync(file(cut, '.seal'), 10)
  expect(eventsIn(cut)).toBe(30)
  expect(eventsIn(cut)).toBe(30)
})

test('damage in the log of a killed node is refused, or costs at most its last transactions', {
  timeout,
}, async () => {
  const killed = await fill('killed', appendsToWal, 'kill')
  const all = appendsToWal * 10
  expect(eventsIn(copyOf(killed))).toBe(all)
  const { size } = statSync(file(killed, '-wal'))
  const places = fc.sample(fc.nat(size - 1), flips)
  let refused = 0
  for (const at of [0, 9, 17, 25, walHeaderBytes, walHeaderBytes + 4, walHeaderBytes + 12, ...places]) {
    const copy = copyOf(killed)
    flip(file(copy, '-wal'), at)
    const before = contentsOf(copy)
    try {
      // In the last transactions damage looks like a torn write after a power cut.
      expect(eventsIn(copy), `byte ${at} of ${size}`).toBeGreaterThanOrEqual(all - 20)
    } catch (error) {
      expect(error).toMatchObject({ message: expect.stringMatching(damaged) })
      expect(contentsOf(copy)).toEqual(before)
      refused++
    }
  }
  expect(refused).toBeGreaterThan(flips / 2)
})

test('a torn last write is no damage, and all events before it are served', async () => {
  const killed = await fill('torn', appendsToWal, 'kill')
  const { size } = statSync(file(killed, '-wal'))
  truncateSync(file(killed, '-wal'), size - Math.floor(frameBytes / 2))
  expect(eventsIn(killed)).toBe((appendsToWal - 1) * 10)
})

test('the process names the damage and the remedy, and ends', async () => {
  const stopped = await fill('told', 2, 'stop')
  flip(file(stopped), 5_000)
  await expect(startNode(stopped)).rejects.toThrow(damaged)
})

test('an undamaged file starts every time, also after kill -9', async () => {
  const directory = join(folder, 'again')
  for (const end of ['stop', 'kill', 'stop', 'kill', 'kill', 'stop'] as const) {
    const node = await startNode(directory)
    const client = EventStoreDBClient.connectionString(node.connectionString)
    const before = (await collect(client.readAll())).length
    await client.appendToStream('again', added())
    expect(await collect(client.readAll())).toHaveLength(before + 1)
    await client.dispose()
    await node[end]()
    if (end === 'kill') await expect.poll(() => node.child.signalCode).toBe('SIGKILL')
  }
  expect(eventsIn(directory)).toBe(6)
})
