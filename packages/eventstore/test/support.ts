// Shared by the engine's tests: a store, a connection to it that can be cut, and waiting for a condition.
import { randomUUID } from 'node:crypto'
import { createServer, connect as openSocket, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { start } from '@headwater/embedded-eventstore'
import pino from 'pino'
import { connectEventStore } from '../src/client/client.ts'

export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

/** Separates the streams of a run from all others in a given store. */
export const runPrefix = `test${randomUUID().slice(0, 8)}`

/** The EventStoreDB at EVENTSTORE_URL, or an embedded node for this test. */
export const testStore = async (): Promise<{ url: string; stop: () => Promise<void> }> => {
  const url = process.env.EVENTSTORE_URL
  if (url) return { url, stop: async () => undefined }
  const node = await start({ port: 0, memory: true })
  return { url: node.connectionString, stop: () => node.stop() }
}

/** A connection to such a store. */
export const connectTestStore = async () => {
  const { url, stop } = await testStore()
  const store = connectEventStore({ url, logger })
  const close = async () => {
    await store.close()
    await stop()
  }
  return { store, close }
}

/** Waits until `check` holds. The deadline is a limit, not a measure. */
export const until = async (what: string, check: () => boolean | Promise<boolean>, deadlineMs = 20_000) => {
  const deadline = Date.now() + deadlineMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`Still waiting after ${deadlineMs} ms: ${what}`)
    await sleep(10)
  }
}

export type Line = {
  readonly url: string
  /** Drops replies; requests still arrive. Later connections work. */
  readonly swallowReplies: () => void
  /** Silently drops all data in both directions. Later connections work. */
  readonly freeze: () => void
  /** Resets all connections. */
  readonly cut: () => void
  readonly connections: () => number
  /** Number of connections that neither side has ended. */
  readonly open: () => number
  readonly close: () => Promise<void>
}

/** A TCP line to the store at `url` that can fail in every way a network does. */
export const lineTo = async (url: string): Promise<Line> => {
  const [host, port] = new URL(url).host.split(':')
  type Pair = { client: Socket; server: Socket }
  const pairs = new Set<Pair>()
  let made = 0
  const listener = createServer((client) => {
    made++
    const server = openSocket(Number(port), host)
    const pair = { client, server }
    pairs.add(pair)
    client.pipe(server)
    server.pipe(client)
    const end = () => {
      client.destroy()
      server.destroy()
      pairs.delete(pair)
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  if (!address || typeof address === 'string') throw new Error('The line has no port.')
  const drain = (from: Socket, to: Socket) => {
    from.unpipe(to)
    from.resume()
  }
  return {
    url: `esdb://127.0.0.1:${address.port}?tls=false`,
    swallowReplies: () => {
      for (const { client, server } of pairs) drain(server, client)
    },
    freeze: () => {
      for (const { client, server } of pairs) {
        drain(server, client)
        drain(client, server)
      }
    },
    cut: () => {
      for (const { client } of pairs) client.resetAndDestroy()
    },
    connections: () => made,
    open: () => pairs.size,
    close: async () => {
      for (const { client } of pairs) client.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}
