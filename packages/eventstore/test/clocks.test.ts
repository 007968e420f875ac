// A wrong clock, or one that is set while the process runs, affects no append, read or subscription.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test, vi } from 'vitest'
import { connectEventStore } from '../src/client/client.ts'
import { startSubscription } from '../src/client/subscription.ts'
import { beginning } from '../src/position.ts'
import { logger, runPrefix, until } from './support.ts'

const hourMs = 60 * 60 * 1_000

/** Runs in its own process, which keeps the correct time. */
const startStore = async (): Promise<string> => {
  const directory = mkdtempSync(path.join(tmpdir(), 'clocks-'))
  const script = path.join(import.meta.dirname, '../../embedded-eventstore/src/main.ts')
  const child = spawn(process.execPath, [script, '--port', '0', '--directory', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line).connectionString
  throw new Error('The store does not start.')
}

/** Shifts the clock of this process. */
const setClock = (shiftMs: number) => {
  const now = Date.now
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => now() + shiftMs)
  onTestFinished(() => spy.mockRestore())
}

const event = () => ({ id: randomUUID(), type: 'Happened', data: {}, metadata: {} })

test.each([
  ['behind', -hourMs],
  ['ahead', hourMs],
])('a process whose clock is an hour %s appends and reads events', async (_, shiftMs) => {
  const store = connectEventStore({ url: await startStore(), logger })
  onTestFinished(store.close)
  setClock(shiftMs)
  const stream = `${runPrefix}thing-${randomUUID()}`
  expect(await store.append(stream, [event()], 'no_stream')).toMatchObject({ outcome: 'appended', firstAttempt: true })
  expect(await store.readStream(stream, 0n, 10)).toHaveLength(1)
})

test('a clock that is set back does not keep an idle subscription from the head of the store', async () => {
  const store = connectEventStore({ url: await startStore(), logger })
  onTestFinished(store.close)
  const categories = [`${runPrefix}quiet`]
  const follower = startSubscription({
    store,
    name: 'quiet',
    categories,
    from: beginning,
    logger,
    handle: async () => undefined,
  })
  onTestFinished(follower.stop)
  await follower.whenCaughtUp()
  setClock(-hourMs)
  const appended = await store.append(`${runPrefix}other-${randomUUID()}`, [event()], 'no_stream')
  if (appended.outcome !== 'appended') throw new Error('It was not appended.')
  await until('the follower is at the head', () => follower.stats().position.commit === appended.position.commit)
})
