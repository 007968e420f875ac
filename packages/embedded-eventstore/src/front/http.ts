// Serves HTTP/1.1: reads a request within limits, finds whose it is, and sends the answer (§2.13).
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

const limits = {
  headersMaxMs: 10_000,
  requestMaxMs: 30_000,
  keepAliveMs: 5_000,
  headerMaxBytes: 16 * 1024,
  bodyMaxBytes: 2 * 1024 * 1024,
} as const

export type Asked = {
  readonly method: string
  /** Decoded. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}
export type Answer = {
  readonly status: number
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
/** Undefined: there is nothing at this path. */
export type Route = (asked: Asked) => Answer | undefined | Promise<Answer | undefined>

/** Thrown where a request is served, when it ends with `answer`. */
export class Refusal extends Error {
  readonly answer: Answer
  constructor(answer: Answer) {
    super(answer.body)
    this.answer = answer
  }
}

export const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json; charset=utf-8',
  body: JSON.stringify(value),
})
export const refusal = (status: number, message: string, headers: Record<string, string> = {}): Refusal =>
  new Refusal({ ...json({ error: message }, status), headers })

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
    if (bytes > limits.bodyMaxBytes) {
      throw refusal(413, `A body has at most ${limits.bodyMaxBytes} bytes.`, { connection: 'close' })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const asked = async (request: IncomingMessage): Promise<Asked> => {
  const [path = '/', ...query] = (request.url ?? '/').split('?')
  return {
    method: request.method ?? 'GET',
    path: path.split('/').slice(1).map(decoded),
    query: new URLSearchParams(query.join('?')),
    headers: request.headers,
    body: await readBody(request),
  }
}

// Nothing that a browser is shown here may run, be framed, or be taken for another type.
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
  /** Ends connections on which nothing is asked, the others after their answer. */
  close: () => void
}

export const createHttp = (route: Route): Http => {
  let closing = false
  const serve = async (request: IncomingMessage): Promise<Answer> => {
    const found = await route(await asked(request))
    return found ?? json({ error: `There is nothing at ${request.method} ${request.url}.` }, 404)
  }
  const server = createServer(
    {
      headersTimeout: limits.headersMaxMs,
      requestTimeout: limits.requestMaxMs,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerMaxBytes,
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
  // It is given connections instead of listening, and counts their time only once it believes that it listens.
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
