// Serves HTTP/1.1: reads a request within limits, identifies the caller, and sends the answer.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Action } from '../security/access.ts'
import type { Caller, Guard } from '../security/guard.ts'
import { TooManySignIns } from '../security/users.ts'

const headerMaxBytes = 16 * 1024
const bodyMaxBytes = 2 * 1024 * 1024

/** Limits of a connection: for headers, for a whole request, without data during a request, and between requests. */
type Times = { headersMs: number; requestMs: number; idleMs: number; keepAliveMs: number; checkEveryMs: number }
const usualTimes: Times = {
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 60_000,
  keepAliveMs: 5_000,
  checkEveryMs: 1_000,
}

export type Asked = {
  readonly method: string
  /** Decoded. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly caller: Caller
}
export type Answer = {
  readonly status: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
/** Undefined for an unknown path. */
export type Route = (asked: Asked) => Answer | undefined | Promise<Answer | undefined>

/** Thrown to end a request with `answer`. */
export class Refusal extends Error {
  readonly answer: Answer
  constructor(explanation: string, answer: Answer) {
    super(explanation)
    this.answer = answer
  }
}

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(value),
})
export const refusal = (status: number, message: string, headers: Record<string, string> = {}): Refusal =>
  new Refusal(message, { ...json({ error: message }, status), headers })

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw refusal(400, `"${segment}" in the path is not percent-encoded UTF-8.`)
  }
}

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bodyMaxBytes) {
      throw refusal(413, `A body has at most ${bodyMaxBytes} bytes.`, { connection: 'close' })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const challenge = { 'www-authenticate': 'Basic realm="embedded-eventstore", charset="UTF-8"' }

/** @throws a refusal; without credentials it makes a browser ask for name and password */
export const checkAccess = ({ caller }: Asked, action: Action, streamName?: string): void => {
  if (caller.may(action, streamName)) return
  if (!caller.user) throw refusal(401, 'Say who you are.', challenge)
  throw refusal(403, `${caller.user.name} may not do this.`)
}

const callerOf = async (request: IncomingMessage, guard: Guard): Promise<Caller> => {
  try {
    const caller = await guard.signIn(request.headers.authorization)
    if (caller) return caller
  } catch (error) {
    if (error instanceof TooManySignIns) throw refusal(503, error.message)
    throw error
  }
  throw refusal(401, 'The credentials are wrong.', challenge)
}

const asked = async (request: IncomingMessage, guard: Guard): Promise<Asked> => {
  const caller = await callerOf(request, guard)
  const [path = '/', ...query] = (request.url ?? '/').split('?')
  return {
    method: request.method ?? 'GET',
    path: path.split('/').slice(1).map(decoded),
    query: new URLSearchParams(query.join('?')),
    headers: request.headers,
    body: await readBody(request),
    caller,
  }
}

// A browser must not run, frame or reinterpret any content.
const alwaysSent = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

const send = (response: ServerResponse, method: string | undefined, answer: Answer): void => {
  const { status, type, headers, body = '' } = answer
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    ...alwaysSent,
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(status === 204 ? {} : { 'content-length': bytes.length }),
    ...headers,
  })
  response.end(method === 'HEAD' ? undefined : bytes)
}

const failed = (error: unknown): Answer =>
  error instanceof Refusal ? error.answer : json({ error: error instanceof Error ? error.message : String(error) }, 500)

export type Http = {
  take: (socket: Socket) => void
  /** Ends idle connections, and the others after their answer. */
  close: () => void
}

/** @param isOwnHost true when a Host header names this node */
export const createHttp = (
  route: Route,
  guard: Guard,
  isOwnHost: (host: string) => boolean,
  times: Times = usualTimes,
): Http => {
  let closing = false
  const serve = async (request: IncomingMessage): Promise<Answer> => {
    const { host = '' } = request.headers
    if (!isOwnHost(host)) throw refusal(421, `"${host}" is not what this node is called.`)
    const found = await route(await asked(request, guard))
    return found ?? json({ error: `There is nothing at ${request.method} ${request.url}.` }, 404)
  }
  const server = createServer(
    {
      headersTimeout: times.headersMs,
      requestTimeout: times.requestMs,
      keepAliveTimeout: times.keepAliveMs,
      connectionsCheckingInterval: times.checkEveryMs,
      maxHeaderSize: headerMaxBytes,
    },
    (request, response) => {
      request.on('error', () => {})
      serve(request)
        .catch(failed)
        .then((answer) => {
          response.shouldKeepAlive &&= !closing
          send(response, request.method, answer)
        })
        .catch(() => response.destroy())
    },
  )
  server.setTimeout(times.idleMs)
  // The server gets its connections without listening, but starts its timers only after this event.
  server.emit('listening')
  return {
    take: (socket) => {
      server.emit('connection', socket)
    },
    close: () => {
      closing = true
      server.close()
    },
  }
}
