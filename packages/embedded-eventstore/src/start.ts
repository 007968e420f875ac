// Starts an embedded event store in this process and stops it again.
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { createCalls } from './calls.ts'
import { stopping } from './errors.ts'
import { openStore } from './store.ts'
import { addServices } from './streams-service.ts'

// `port` 0 takes any free one; `memory` keeps everything in memory and ignores `directory`.
export type Options = { port?: number; host?: string; directory?: string; memory?: boolean }
export type EmbeddedEventStore = { port: number; connectionString: string; stop(): Promise<void> }

export const defaults = { port: 2113, host: '127.0.0.1', directory: '.data/eventstore' } as const

// A batch frame of client 6.2.1 holds up to 3 MiB, EventStoreDB accepts 16 MiB; one more leaves room for the frame.
const receivedMessageMaxBytes = 17 * 1024 * 1024
const callsPerConnectionMax = 1000
const stopWaitMaxMs = 2000

const bind = (server: Server, address: string): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(new Error(`Cannot listen on ${address}: ${error.message}`)) : resolve(port),
    ),
  )

const shutDown = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, stopWaitMaxMs)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })

// The address others reach: an address that means "every interface" is none.
const reachable = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

export const start = async (options: Options = {}): Promise<EmbeddedEventStore> => {
  const { port: wantedPort = 0, host = defaults.host, directory = defaults.directory, memory = false } = options
  const store = openStore(memory ? undefined : directory)
  const calls = createCalls()
  const server = new Server({
    'grpc.max_receive_message_length': receivedMessageMaxBytes,
    'grpc.max_concurrent_streams': callsPerConnectionMax,
  })
  const groups = addServices(server, store, calls)
  const address = `${host.includes(':') ? `[${host}]` : host}:${wantedPort}`
  const port = await bind(server, address).catch((error: unknown) => {
    groups.close()
    store.close()
    throw error
  })

  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    // What has arrived is written and answered before the streams end.
    store.finish()
    calls.endAll(stopping())
    groups.close()
    await shutDown(server)
    store.close()
  }
  return {
    port,
    connectionString: `esdb://${reachable(host)}:${port}?tls=false`,
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}
