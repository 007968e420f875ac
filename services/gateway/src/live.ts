// Live queries over WebSocket at /live: who may open a socket, and the heartbeat of those that are open.
import { fastifyWebsocket } from '@fastify/websocket'
import type { Metrics } from '@headwater/http-kit/metrics'
import { Problem } from '@headwater/http-kit/problem'
import type { HttpServer } from '@headwater/http-kit/server'
import { type ConnectionLimits, type LiveConnection, serveConnection } from './live-connection.ts'
import type { LiveQueries } from './live-queries.ts'
import type { Sight } from './sight.ts'
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
  connectionBytesMax: 256 * 1_024,
  outboxEntriesMax: 1_000,
  outboxBytesMax: 256 * 1_024,
}

export type LiveOptions = {
  readonly queries: Readonly<Record<ReadModelName, LiveQueries>>
  readonly sight: Sight
  readonly limits: Partial<LiveLimits>
  readonly metrics: Metrics
}

export const registerLive = async (server: HttpServer, options: LiveOptions): Promise<void> => {
  const { queries, sight, metrics } = options
  const limits = { ...defaultLimits, ...options.limits }
  const connections = new Set<LiveConnection>()

  await server.register(fastifyWebsocket, { options: { maxPayload: limits.messageBytesMax } })
  server.get(
    '/live',
    {
      websocket: true,
      schema: { hide: true },
      // Runs before the upgrade. Browsers let any page open a socket anywhere; only our own pages may open this one.
      preValidation: async ({ headers }) => {
        if (headers.origin !== undefined && URL.parse(headers.origin)?.host !== headers.host)
          throw new Problem(403, 'foreign_origin', 'Live queries are for pages of this site.')
        if (connections.size >= limits.socketsMax)
          throw new Problem(503, 'too_many_sockets', 'Too many live connections are open. Try again later.')
      },
    },
    (socket) => {
      const connection = serveConnection(socket, { queries, sight, limits, logger: server.log })
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
}
