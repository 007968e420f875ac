// Starts an embedded event store in this process and stops it again.
import { setTimeout as wait } from 'node:timers/promises'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { createCalls } from './calls.ts'
import { stopping as isStopping } from './errors.ts'
import { createHttp } from './front/http.ts'
import { createNode } from './front/node.ts'
import { addNodeServices } from './front/node-services.ts'
import { openPort } from './front/port.ts'
import { routeStreams } from './front/streams.ts'
import { openStore } from './store.ts'
import { addServices } from './streams-service.ts'

export type Options = {
  /** Where to listen; 0, which is the default here, takes any free one. */
  port?: number
  /** The interface to listen on. */
  host?: string
  /** Where the file with the events is. */
  directory?: string
  /** Keeps everything in memory and ignores `directory`. */
  memory?: boolean
  /** Acknowledges before it is on the disk itself: what a power cut takes with it was acknowledged. For tests on slow disks. */
  unsafeDisableFlushToDisk?: boolean
  /** Where clients that discover the node reach it, when that is not where it listens. */
  advertiseHost?: string
  advertisePort?: number
}
export type EmbeddedEventStore = {
  port: number
  connectionString: string
  stop(): Promise<void>
  /** Resolves when it has stopped, whoever asked for it. */
  stopped: Promise<void>
}

export const defaults = { port: 2113, host: '127.0.0.1', directory: '.data/eventstore' } as const

// A batch frame of client 6.2.1 holds up to 3 MiB, EventStoreDB accepts 16 MiB; one more leaves room for the frame.
const receivedMessageMaxBytes = 17 * 1024 * 1024
const callsPerConnectionMax = 10_000
const stopWaitMaxMs = 2000
// As EventStoreDB: a client that is gone without a word is noticed after both.
const keepAliveMs = 10_000
const keepAliveAnswerMaxMs = 10_000

// The address others reach: an address that means "every interface" is none.
const reachable = (host: string): string => (host === '0.0.0.0' || host === '::' ? 'localhost' : host)
const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

export const start = async (options: Options = {}): Promise<EmbeddedEventStore> => {
  const { port: wantedPort = 0, host = defaults.host, directory = defaults.directory, memory = false } = options
  const store = openStore(memory ? undefined : directory, !options.unsafeDisableFlushToDisk)
  const calls = createCalls()
  const server = new Server({
    'grpc.max_receive_message_length': receivedMessageMaxBytes,
    'grpc.max_concurrent_streams': callsPerConnectionMax,
    'grpc.keepalive_time_ms': keepAliveMs,
    'grpc.keepalive_timeout_ms': keepAliveAnswerMaxMs,
  })
  const groups = addServices(server, store, calls)
  const { injectConnection } = server.createConnectionInjector(ServerCredentials.createInsecure())
  const { advertiseHost = reachable(host), advertisePort } = options
  const node = createNode(() => ({ host: advertiseHost, port: advertisePort ?? port.number }), 'insecure')
  addNodeServices(server, node, () => void stop())
  const streams = routeStreams(store)
  const http = createHttp((asked) => node.route(asked) ?? streams(asked))
  const serve = { http2: injectConnection, http1: http.take }
  const port = await openPort({ host, port: wantedPort, serve, tls: undefined }).catch((error: unknown) => {
    groups.close()
    server.forceShutdown()
    store.close()
    throw error
  })

  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  // Whoever waits for it hears of an error; nobody has to.
  stopped.catch(() => {})
  const endAll = async (): Promise<void> => {
    // What has arrived is written and answered before the streams end.
    store.finish()
    const closed = port.close()
    calls.endAll(isStopping())
    groups.close()
    server.tryShutdown(() => {})
    http.close()
    await Promise.race([closed, wait(stopWaitMaxMs, undefined, { ref: false })])
    port.destroyAll()
    await closed
    server.forceShutdown()
    store.close()
  }
  let stopping = false
  const stop = (): Promise<void> => {
    if (!stopping) endAll().then(resolve, reject)
    stopping = true
    return stopped
  }
  return {
    port: port.number,
    connectionString: `esdb://${inUrl(reachable(host))}:${port.number}?tls=false`,
    stop,
    stopped,
  }
}
