// A backup is the complete store at one moment: taken during appends, and ready to be served.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { start } from '../src/start.ts'
import { added, collect, freshEvents, many } from './helpers.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

let folder = ''
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'embedded-backup-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const at = (name: string) => join(folder, name)

const startProcess = async (directory: string) => {
  const child = spawn(process.execPath, [main, '--port', '0', '--directory', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data')
  return { child, ...(JSON.parse(String(line)) as { connectionString: string }) }
}

const backUp = async (directory: string, to: string): Promise<{ file: string; position: number }> => {
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'backup', '--directory', directory, '--to', to])
  return JSON.parse(stdout)
}

const eventsOf = async (directory: string) => {
  const store = await start({ directory })
  const client = EventStoreDBClient.connectionString(store.connectionString)
  try {
    return await collect(client.readAll())
  } finally {
    await client.dispose()
    await store.stop()
  }
}

test('a backup during many appends has all events acknowledged before it, in order and without gaps', async () => {
  const { connectionString } = await startProcess(at('data'))
  const client = EventStoreDBClient.connectionString(connectionString)
  const acknowledged = new Set<string>()
  let isOver = false
  const writer = async (number: number) => {
    while (!isOver) {
      const events = [added(number), added(number)]
      await client.appendToStream(`s-${number}`, events)
      for (const { id } of events) acknowledged.add(id)
    }
  }
  await client.appendToStream('before', many(5_000))
  const writing = Promise.all(Array.from({ length: 10 }, (_, number) => writer(number)))
  await expect.poll(() => acknowledged.size).toBeGreaterThan(100)
  const before = [...acknowledged]
  const { position } = await backUp(at('data'), at('backup'))
  const whileTaken = acknowledged.size - before.length
  isOver = true
  await writing
  const live = await collect(client.readAll())
  await client.dispose()

  expect(whileTaken).toBeGreaterThan(0)
  expect(readdirSync(at('backup'))).toEqual(['eventstore.sqlite'])
  expect(statSync(at('backup/eventstore.sqlite')).mode & 0o777).toBe(0o600)
  const restored = await eventsOf(at('backup'))
  expect(restored).toHaveLength(position)
  expect(restored).toEqual(live.slice(0, position))
  const ids = new Set(restored.map(({ event }) => event?.id))
  expect(before.filter((id) => !ids.has(id))).toEqual([])
})

test('a stopped or killed store can be backed up, and a backup is never overwritten', async () => {
  const { child, connectionString } = await startProcess(at('data'))
  const client = EventStoreDBClient.connectionString(connectionString)
  await client.appendToStream('s', many(10))
  child.kill('SIGKILL')
  await once(child, 'exit')
  client.dispose().catch(() => undefined)
  expect(await backUp(at('data'), at('backup'))).toMatchObject({ position: freshEvents + 10 })
  expect(await eventsOf(at('backup'))).toHaveLength(freshEvents + 10)
  await expect(backUp(at('data'), at('backup'))).rejects.toThrow(/is there already: name a folder without one/)
  // The socket that the killed process left does no harm.
  expect(await eventsOf(at('data'))).toHaveLength(freshEvents + 10)
})

test('a failed backup leaves no file and reports the reason', async () => {
  await expect(backUp(at('nowhere'), at('backup'))).rejects.toThrow(/There is no .*nowhere/)
  mkdirSync(at('torn'))
  writeFileSync(at('torn/eventstore.sqlite'), 'no database at all, but long enough to be taken for one'.repeat(100))
  await expect(backUp(at('torn'), at('backup'))).rejects.toThrow(/file is not a database/)
  expect(readdirSync(at('backup'))).toEqual([])
})
