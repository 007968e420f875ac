// Starts and stops an embedded event store in this process.
import { resolve as resolvePath } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { createHttp } from './http/http.ts'
import { createNode } from './http/node.ts'
import { addNodeServices } from './http/node-services.ts'
import { openPort } from './http/port.ts'
import { dropResetCalls, nameUnimplemented } from './http/reset-calls.ts'
import { routeStreams } from './http/streams.ts'
import { defaults, type Options, ownHost, reachable, securityOf } from './options.ts'
import { routePage } from './page/page.ts'
import type { Subscription } from './page/views.ts'
import type { Group } from './persistent/group.ts'
import { writeAll } from './persistent/own-streams.ts'
import { sourceName } from './persistent/settings.ts'
import { openProjections } from './projections/projections.ts'
import { addProjections, projectionMethods } from './projections/service.ts'
import type { Tls } from './security/certificate.ts'
import { createGuard, openGuard } from './security/guard.ts'
import { createSignIn } from './security/users.ts'
import { systemEvents } from './store/fresh-database.ts'
import { openStore } from './store/store.ts'
import { addServices } from './streams/streams-service.ts'
import { createCalls } from './wire/calls.ts'
import { failureFor } from './wire/errors.ts'

export type { Options } from './options.ts'
export type EmbeddedEventStore = {
  port: number
  /** Without credentials. */
  connectionString: string
  /** The certificate that clients have to trust, as PEM; undefined without TLS. */
  certificate: string | undefined
  stop(): Promise<void>
  /** Resolves when it has stopped, by any cause. */
  stopped: Promise<void>
}

// EventStoreDB accepts 16 MiB; one more leaves room for the frame. Client 6.2.1 sends batches of up to 3 MiB.
const receivedMessageMaxBytes = 17 * 1024 * 1024
const callsPerConnectionMax = 10_000
const stopWaitMaxMs = 2000
// As in EventStoreDB: a silently lost client is detected after both.
const keepAliveMs = 10_000
const keepAliveAnswerMaxMs = 10_000

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const subscriptionOf = ({ definition, look, lag }: Group): Subscription => {
  const { status, consumers, parked } = look()
  const { source, groupName } = definition
  return { streamName: sourceName(source), groupName, status, consumers: consumers.length, lag: lag(), parked }
}

const tlsParameters = (tls: Tls | undefined): string => {
  if (!tls) return 'tls=false'
  return tls.file === undefined ? 'tls=true' : `tls=true&tlsCAFile=${encodeURIComponent(resolvePath(tls.file))}`
}

export const start = async (options: Options = {}): Promise<EmbeddedEventStore> => {
  const { port: wantedPort = 0, host = defaults.host, directory = defaults.directory, memory = false } = options
  const { systemProjections = defaults.systemProjections } = options
  const security = securityOf(options)
  const signIn = security && (await createSignIn(security.users))
  const store = openStore(memory ? undefined : directory, !options.unsafeDisableFlushToDisk)
  try {
    if (store.head() === 0) await writeAll(store, systemEvents(systemProjections))
  } catch (error) {
    store.close()
    throw error
  }
  const guard = signIn ? createGuard(store, signIn) : openGuard
  const calls = createCalls()
  const server = new Server({
    'grpc.max_receive_message_length': receivedMessageMaxBytes,
    'grpc.max_concurrent_streams': callsPerConnectionMax,
    'grpc.keepalive_time_ms': keepAliveMs,
    'grpc.keepalive_timeout_ms': keepAliveAnswerMaxMs,
    interceptors: guard.interceptors,
  })
  dropResetCalls(server)
  nameUnimplemented(server)
  const projections = systemProjections === 'off' ? undefined : openProjections(store)
  const groups = addServices(server, store, calls, guard, projections ? projectionMethods : [])
  if (projections) addProjections(server, projections, guard)
  const { injectConnection } = server.createConnectionInjector(ServerCredentials.createInsecure())
  const ownName = reachable(host, security !== undefined)
  const { advertiseHost = ownName, advertisePort } = options
  const node = createNode(() => ({ host: advertiseHost, port: advertisePort ?? port.number }), {
    authentication: security ? 'internal' : 'insecure',
    projections: projections !== undefined,
  })
  addNodeServices(server, node, guard, () => void stop())
  const streams = routeStreams(store)
  const page = routePage(store, () => groups.all().map(subscriptionOf))
  const http = createHttp(
    (asked) => node.route(asked) ?? streams(asked) ?? page(asked),
    guard,
    ownHost(options, security),
  )
  const serve = { http2: injectConnection, http1: http.take }
  const open = async () => {
    await projections?.start(systemProjections)
    return openPort({ host, port: wantedPort, serve, tls: security?.tls })
  }
  const port = await open().catch(async (error: unknown) => {
    await projections?.close()
    groups.close()
    server.forceShutdown()
    store.close()
    throw error
  })

  const { promise: stopped, resolve, reject } = Promise.withResolvers<void>()
  // Callers that await it see the error.
  stopped.catch(() => {})
  const endAll = async (): Promise<void> => {
    // Received writes are answered before the streams end.
    const projected = projections?.close()
    store.finish()
    const closed = port.close()
    calls.endAll(failureFor({ kind: 'stopping' }))
    groups.close()
    server.tryShutdown(() => {})
    http.close()
    await Promise.race([closed, wait(stopWaitMaxMs, undefined, { ref: false })])
    port.destroyAll()
    await closed
    server.forceShutdown()
    await projected
    store.close()
  }
  let stopAsked = false
  const stop = (): Promise<void> => {
    if (!stopAsked) endAll().then(resolve, reject)
    stopAsked = true
    return stopped
  }
  return {
    port: port.number,
    connectionString: `esdb://${inUrl(ownName)}:${port.number}?${tlsParameters(security?.tls)}`,
    certificate: security?.tls.certificate,
    stop,
    stopped,
  }
}
