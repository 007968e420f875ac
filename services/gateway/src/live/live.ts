// Live queries over WebSocket at /live: who may open a socket, and the heartbeat of those that are open.
import { fastifyWebsocket } from '@fastify/websocket'
import type { Actor } from '@headwater/deciders/policy'
import type { Audit, Refused } from '@headwater/eventstore/audit'
import { publicRoute } from '@headwater/http-kit/access/access'
import { addressKey } from '@headwater/http-kit/access/address-key'
import { Problem } from '@headwater/http-kit/commands/problem'
import type { HttpServer } from '@headwater/http-kit/server/server'
import type { Metrics } from '@headwater/http-kit/telemetry/metrics'
import { type ConnectionLimits, type LiveConnection, serveConnection } from '@headwater/live/connection'
import type { LiveQueries } from '@headwater/live/live-queries'
import type { FastifyRequest } from 'fastify'
import type { Looks } from '../audit/looks.ts'
import type { Credential, GatewayCredentials } from '../auth/credentials.ts'
import { createPlaces } from '../auth/limits.ts'
import { isPartner, type PartnerLimit } from '../partner-limit.ts'
import { topics } from './topics.ts'

export type LiveLimits = ConnectionLimits & {
  readonly socketsMax: number
  readonly socketsPerAddressMax: number
  readonly socketsPerPersonMax: number
  readonly messageBytesMax: number
  /** A socket that gave no sign of life between two heartbeats is closed. */
  readonly heartbeatMs: number
}

const defaultLimits: LiveLimits = {
  socketsMax: 2_000,
  // Many may share an address: an office, or a network provider's customers.
  socketsPerAddressMax: 200,
  socketsPerPersonMax: 30,
  messageBytesMax: 4_096,
  heartbeatMs: 15_000,
  subscriptionsMax: 20,
  messagesMax: 200,
  connectionBytesMax: 32 * 1_024,
  outboxEntriesMax: 1_000,
  outboxBytesMax: 256 * 1_024,
}

/** What of live connections there is, and how much there may be. */
export type LiveCounts = {
  readonly sockets: number
  readonly socketsMax: number
  readonly queries: number
  readonly queriesPerSocketMax: number
}

export type LiveOptions = {
  readonly queriesOf: (readModel: string) => LiveQueries
  readonly credentialsOf: GatewayCredentials
  readonly followSession?: FollowSession | undefined
  /** Whether a page of this site opens the socket. */
  readonly isOwnOrigin?: ((request: FastifyRequest) => boolean) | undefined
  readonly partnerLimit: PartnerLimit
  readonly audit: Pick<Audit, 'refused'>
  readonly looks: Looks
  readonly limits: Partial<LiveLimits>
  readonly metrics: Metrics
}

/** Calls `ended` when the session is over. Returns what ends that. */
type FollowSession = (session: string, ended: () => void) => () => void

const isFromOwnHost = ({ headers }: FastifyRequest): boolean => URL.parse(headers.origin ?? '')?.host === headers.host

/** As if the topic were asked for over HTTP. */
const refusedTopic = (actor: Actor, topic: string, { status, code }: Problem, traceparent: string): Refused => {
  const request = { method: 'FOLLOW', route: topic, resource: null }
  return { actor, ...request, status, code, traceparent }
}

/** @returns what counts live connections */
export const registerLive = async (server: HttpServer, options: LiveOptions): Promise<() => LiveCounts> => {
  const { queriesOf, credentialsOf, followSession, isOwnOrigin = isFromOwnHost, metrics } = options
  const { partnerLimit, audit, looks } = options
  const limits = { ...defaultLimits, ...options.limits }
  const connections = new Set<LiveConnection>()
  const credentials = new WeakMap<FastifyRequest, readonly Credential[]>()

  const places = {
    address: createPlaces(limits.socketsPerAddressMax),
    person: createPlaces(limits.socketsPerPersonMax),
  }
  /** Until the connection closes, whatever becomes of it. */
  const takePlaces = (request: FastifyRequest, held: readonly Credential[]) => {
    const address = addressKey(request.ip)
    const person = held.find(({ actor }) => actor.kind !== 'anonymous')?.actor.sub
    const tooMany = (whose: string) =>
      new Problem(429, 'too_many_sockets', `Too many live connections of ${whose} are open. Close some of them.`)
    if (!places.address.take(address)) throw tooMany('your address')
    request.raw.socket.once('close', () => places.address.give(address))
    if (person === undefined) return
    if (!places.person.take(person)) throw tooMany('yours')
    request.raw.socket.once('close', () => places.person.give(person))
  }

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
        if (request.headers.origin !== undefined && !isOwnOrigin(request))
          throw new Problem(403, 'foreign_origin', 'Live queries are for pages of this site.')
        if (connections.size >= limits.socketsMax)
          throw new Problem(503, 'too_many_sockets', 'Too many live connections are open. Try again later.')
        const held = await credentialsOf(request)
        for (const { actor } of held) {
          const tooMany = isPartner(actor) && (await partnerLimit.count(actor))
          if (tooMany) throw tooMany
        }
        if (request.ws) takePlaces(request, held)
        credentials.set(request, held)
      },
    },
    (socket, request) => {
      const held = credentials.get(request) ?? []
      const partner = held.map(({ actor }) => actor).find(isPartner)
      const connection = serveConnection(socket, {
        topics,
        queriesOf,
        credentials: held,
        countAsked: partner && (() => partnerLimit.count(partner)),
        followed: (allowed, topic, filter) => looks.listFollowed(allowed, request.id, topic, filter),
        refused: (actor, topic, problem) => audit.refused(refusedTopic(actor, topic, problem, request.id)),
        limits,
        logger: server.log,
      })
      connections.add(connection)
      socket.once('close', () => connections.delete(connection))
      for (const { session } of held) {
        if (session === undefined || !followSession) continue
        socket.once('close', followSession(session, connection.endSession))
      }
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
  return () => ({
    sockets: connections.size,
    socketsMax: limits.socketsMax,
    queries: [...connections].reduce((sum, { following }) => sum + following(), 0),
    queriesPerSocketMax: limits.subscriptionsMax,
  })
}
