// Invalid calls and broken connections, some left half-open: the node keeps serving, logs nothing, and leaks no memory or sockets.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:http2'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { EventStoreDBClient } from '@eventstore/db-client'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { type Case, oddity } from './fuzz/cases.ts'
import type { Held } from './fuzz/node.ts'
import { sendBytes, sendCall } from './fuzz/send.ts'
import { added, collect, newStream } from './helpers.ts'

const cases = Number(process.env.FUZZ_CASES ?? 200)
/** FUZZ_SEED and FUZZ_CASES repeat the cases of a run. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 1_000_000))
/** Number of concurrent cases; their calls share one connection. */
const batch = 25
/** Fills the caches before the measurement. */
const warmUpCases = Math.floor(cases / 4)
const growthBytesMax = 16 * 1024 * 1024
const msMax = 60_000 + cases * 60

const startNode = async () => {
  const child = fork(fileURLToPath(new URL('./fuzz/node.ts', import.meta.url)), {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const held = async (): Promise<Held> => {
    child.send('held')
    const [answer] = (await once(child, 'message')) as [Held]
    return answer
  }
  return { child, port, held, said: () => said }
}

test(`the node survives ${cases} invalid calls and connections, seed ${seed}`, { timeout: msMax }, async () => {
  const node = await startNode()
  const { port, held } = node
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`)
  const serves = async (what: string) => {
    const stream = newStream()
    const found = client.appendToStream(stream, added()).then(() => collect(client.readStream(stream)))
    expect(await found.catch((error) => String(error)), `${what}: ${node.said()}`).toHaveLength(1)
  }
  await serves('before')
  const { sockets } = await held()
  const stalled: Socket[] = []
  let warm: Held | undefined

  const sendAll = async (some: readonly Case[]): Promise<void> => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    const sent = some.map(async (one) => {
      if (one.kind === 'call') return sendCall(session, one)
      const left = await sendBytes(port, one)
      if (left) stalled.push(left)
    })
    await Promise.all(sent)
    session.destroy()
  }

  const all = fc.sample(oddity, { seed, numRuns: cases })
  for (let first = 0; first < all.length; first += batch) {
    await sendAll(all.slice(first, first + batch))
    await serves(`FUZZ_SEED=${seed} FUZZ_CASES=${cases}, cases ${first} to ${first + batch - 1}`)
    if (first <= warmUpCases) warm = await held()
  }

  for (const socket of stalled) socket.destroy()
  expect(stalled.length).toBeGreaterThan(0)
  await expect.poll(async () => (await held()).sockets).toBe(sockets)
  expect((await held()).bytes - (warm?.bytes ?? 0)).toBeLessThan(growthBytesMax)
  await serves('after')
  await client.dispose()
  const exit = once(node.child, 'exit')
  node.child.send('stop')
  expect(await exit).toEqual([0, null])
  expect(node.said()).toBe('')
})
