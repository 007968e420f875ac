// One open socket of /live: its subscriptions, what it has yet to be told, and whether anybody is there.
import type { Actor } from '@headwater/deciders/policy'
import { type Allowed, allowedOf, refusal } from '@headwater/http-kit/access/access'
import type { Credential } from '@headwater/http-kit/access/auth'
import type { Problem } from '@headwater/http-kit/commands/problem'
import type { Logger } from '@headwater/http-kit/telemetry/telemetry'
import type { WebSocket } from 'ws'
import type { FollowedQuery, LiveQueries } from './live-queries.ts'
import { createOutbox } from './outbox.ts'
import {
  type ClientMessage,
  changeMessage,
  errorMessage,
  heartbeatMessage,
  type LiveErrorCode,
  parseClientMessage,
  snapshotMessage,
} from './protocol.ts'
import type { Topic } from './topic.ts'

const policyViolation = 1008
const tryAgainLater = 1013
/** Of our own range: to go on, sign in again. */
const sessionEnded = 4401

export type ConnectionLimits = {
  readonly subscriptionsMax: number
  /** From the client between two heartbeats. */
  readonly messagesMax: number
  /** What may wait inside the connection before further news are held back and coalesced. */
  readonly connectionBytesMax: number
  readonly outboxEntriesMax: number
  readonly outboxBytesMax: number
}

/** A credential of the request that became the socket. */
export type SocketCredential = Credential & {
  /** When it ends by itself, in ms since 1970; a session's credentials end with the session. */
  readonly endsAtMs?: () => number
}

export type LiveConnection = {
  /** To be called at every heartbeat. */
  readonly beat: () => void
  /** The session that the socket came with is over. */
  readonly endSession: () => void
  /** How many row changes the client has yet to be sent. */
  readonly waiting: () => number
  /** How many live queries it follows. */
  readonly following: () => number
}

/** Serves the socket until it closes. */
export const serveConnection = (
  socket: WebSocket,
  options: {
    readonly topics: ReadonlyMap<string, Topic>
    readonly queriesOf: (readModel: string) => LiveQueries
    /** Of the request that became the socket; it never has others. */
    readonly credentials: readonly SocketCredential[]
    /** Counts a subscription; @returns the refusal when there were too many. Without it nothing is counted. */
    readonly countAsked: (() => Promise<Problem | undefined>) | undefined
    /** Told of every topic that is followed. */
    readonly followed: (allowed: readonly Allowed[], topic: string, filter: unknown) => void
    /** Told of every topic that is refused to somebody who is known. */
    readonly refused: (actor: Actor, topic: string, problem: Problem) => void
    readonly limits: ConnectionLimits
    readonly logger: Pick<Logger, 'warn' | 'debug'>
  },
): LiveConnection => {
  const { topics, queriesOf, credentials, countAsked, followed, refused, limits, logger } = options
  const subscriptions = new Map<string, FollowedQuery>()
  const outbox = createOutbox({ entriesMax: limits.outboxEntriesMax, bytesMax: limits.outboxBytesMax })
  let alive = true
  let received = 0

  const sendWhatFits = () => {
    while (socket.bufferedAmount < limits.connectionBytesMax) {
      const due = outbox.take()
      const query = due && subscriptions.get(due.id)
      if (!query) return
      const message =
        due.kind === 'snapshot'
          ? snapshotMessage(due.id, query.rows(), query.token())
          : changeMessage(due.id, due.ops.values(), due.token)
      socket.send(message, sent)
    }
  }
  const sent = (error?: Error | null) => {
    if (error) return // the socket is closing
    // More is waiting, so the connection was full: the client has taken some.
    if (socket.bufferedAmount > 0) alive = true
    sendWhatFits()
  }
  /** For what may be lost: a client that does not read is not told. */
  const mention = (message: string) => {
    if (socket.bufferedAmount < limits.connectionBytesMax) socket.send(message)
  }
  const refuse = (code: LiveErrorCode, text: string, id?: string) => mention(errorMessage(code, text, id))

  const subscribe = (id: string, topic: string, filter: unknown, token: string | undefined) => {
    if (subscriptions.has(id)) return refuse('id_in_use', 'This id has a subscription already.', id)
    if (subscriptions.size >= limits.subscriptionsMax)
      return refuse('too_many_subscriptions', `At most ${limits.subscriptionsMax} at a time.`, id)
    const known = topics.get(topic)
    if (!known) return refuse('unknown_topic', 'There is no such topic.', id)
    const allowed = allowedOf(credentials, known.rules)
    if (allowed.length === 0) {
      const problem = refusal(credentials)
      const [asking] = credentials
      if (asking && problem.status === 403) refused(asking.actor, topic, problem)
      return refuse(problem.status === 401 ? 'not_signed_in' : 'forbidden', problem.message, id)
    }
    const view = known.open(filter, allowed)
    if (view === 'invalid_filter') return refuse(view, 'The topic cannot be filtered like that.', id)
    followed(allowed, topic, filter)
    const query = queriesOf(view.readModel).follow(
      view,
      {
        restarted: () => {
          outbox.addSnapshot(id)
          sendWhatFits()
        },
        changed: (ops, upTo) => {
          outbox.addChanges(id, ops, upTo)
          sendWhatFits()
        },
        failed: (error) => {
          unsubscribe(id)
          logger.warn({ err: error }, 'a live query cannot be answered')
          refuse('unavailable', 'The live query cannot be answered now. Try again later.', id)
        },
      },
      token,
    )
    subscriptions.set(id, query)
  }

  const unsubscribe = (id: string) => {
    subscriptions.get(id)?.stop()
    subscriptions.delete(id)
    outbox.drop(id)
  }

  const receive = (text: string) => {
    if (socket.readyState !== socket.OPEN) return
    received += 1
    if (received > limits.messagesMax) return close(policyViolation, 'too many messages')
    const message = parseClientMessage(text)
    if (!message) refuse('malformed_message', 'This is not a message of the protocol.')
    else if (countAsked)
      counted = counted
        .then(() => followCounted(countAsked, message))
        .catch((error) => logger.warn({ err: error }, 'a message was not counted, and not followed'))
    else follow(message)
  }

  const follow = (message: ClientMessage) => {
    if (message.type === 'subscribe') subscribe(message.id, message.topic, message.filter, message.token)
    else unsubscribe(message.id)
  }

  /** Counted messages in order, because counting is asynchronous. */
  let counted = Promise.resolve()
  const followCounted = async (count: () => Promise<Problem | undefined>, message: ClientMessage) => {
    const tooMany = message.type === 'subscribe' && (await count())
    if (socket.readyState !== socket.OPEN) return
    if (tooMany) refuse('too_many_requests', tooMany.message, message.id)
    else follow(message)
  }

  const end = () => {
    for (const id of [...subscriptions.keys()]) unsubscribe(id)
  }

  const close = (code: number, reason: string) => {
    end()
    socket.close(code, reason)
  }

  const isOver = ({ endsAtMs }: SocketCredential) => endsAtMs !== undefined && endsAtMs() <= Date.now()

  const beat = () => {
    if (credentials.some(isOver)) return close(sessionEnded, 'the token has ended')
    if (!alive) return close(tryAgainLater, 'no sign of life since the last heartbeat')
    alive = false
    received = 0
    socket.ping()
    mention(heartbeatMessage(new Date()))
  }

  socket.on('pong', () => {
    alive = true
  })
  socket.on('message', (data) => receive(data.toString()))
  socket.on('close', end)
  socket.on('error', (error) => logger.debug({ err: error }, 'live socket failed'))
  return {
    beat,
    endSession: () => close(sessionEnded, 'signed out'),
    waiting: () => outbox.size().entries,
    following: () => subscriptions.size,
  }
}
