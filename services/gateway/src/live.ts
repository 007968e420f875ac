// Live queries over WebSocket at /live: who may open a socket, and the heartbeat of those that are open.
import { fastifyWebsocket } from '@fastify/websocket'
import { publicRoute } from '@headwater/http-kit/access'
import type { Metrics } from '@headwater/http-kit/metrics'
import { Problem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import type { FastifyRequest } from 'fastify'
import type { Credential, GatewayCredentials } from './auth/credentials.ts'
import { type ConnectionLimits, type LiveConnection, serveConnection } from './live-connection.ts'
import type { LiveQueries } from './live-queries.ts'
import type { ReadModelName } from './topics.ts'

export type LiveLimits = ConnectionLimits & {
  readonly socketsMax: number
  readonly messageBytesMax: number
  /** A socket that gave no sign of life between two heartbeats is closed. */
  readonly heartbeatMs: number
}

const defaultLimits: LiveLimits = {
  socketsMax: 2_000,
  messageBytesMax: 4_096,
  heartbeatMs: 15_000,
  subscriptionsMax: 20,
  messagesMax: 200,
  connectionBytesMax: 32 * 1_024,
  outboxEntriesMax: 1_000,
  outboxBytesMax: 256 * 1_024,
}

export type LiveOptions = {
  readonly queries: Readonly<Record<ReadModelName, LiveQueries>>
  readonly credentialsOf: GatewayCredentials
  readonly limits: Partial<LiveLimits>
  readonly metrics: Metrics
}

export type LiveSockets = {
  /** Closes the sockets that came with this session. */
  readonly endSession: (session: string) => void
}

export const registerLive = async (server: HttpServer, options: LiveOptions): Promise<LiveSockets> => {
  const { queries, credentialsOf, metrics } = options
  const limits = { ...defaultLimits, ...options.limits }
  const connections = new Set<LiveConnection>()
  const credentials = new WeakMap<FastifyRequest, readonly Credential[]>()

  await server.register(fastifyWebsocket, { options: { maxPayload: limits.messageBytesMax } })
  server.get(
    '/live',
    {
      websocket: true,
      // Each topic has rules of its own.
      config: publicRoute,
      schema: { hide: true },
      // Runs before the upgrade. Browsers let any page open a socket anywhere; only our own pages may open this one.
      preValidation: async (request) => {
        const { headers } = request
        if (headers.origin !== undefined && URL.parse(headers.origin)?.host !== headers.host)
          throw new Problem(403, 'foreign_origin', 'Live queries are for pages of this site.')
        if (connections.size >= limits.socketsMax)
          throw new Problem(503, 'too_many_sockets', 'Too many live connections are open. Try again later.')
        credentials.set(request, await credentialsOf(request))
      },
    },
    (socket, request) => {
      const connection = serveConnection(socket, {
        queries,
        credentials: credentials.get(request) ?? [],
        limits,
        logger: server.log,
      })
      connections.add(connection)
      socket.once('close', () => connections.delete(connection))
    },
  )

  metrics.gauge('live_sockets', 'Open live connections.', () => [{ value: connections.size }])
  metrics.gauge('live_queued_changes', 'Row changes that wait for clients to read.', () => [
    { value: [...connections].reduce((sum, { waiting }) => sum + waiting(), 0) },
  ])
  const heartbeat = setInterval(() => {
    for (const { beat } of connections) beat()
  }, limits.heartbeatMs)
  server.addHook('preClose', async () => clearInterval(heartbeat))
  return {
    endSession: (session) => {
      for (const { belongsTo, endSession } of connections) if (belongsTo(session)) endSession()
    },
  }
}
