// Listens on one port for HTTP/2 and HTTP/1.1 and chooses the server of a connection by its first bytes.
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

/** Limit for the first bytes of a connection, TLS handshake included. */
const firstBytesMaxMs = 10_000

type Certificate = { certificate: string; key: string }
type Serve = { http2: (socket: Socket) => void; http1: (socket: Socket) => void }
export type Port = {
  number: number
  /** Accepts no more connections and ends those without a request. Resolves when the last has ended. */
  close(): Promise<void>
  destroyAll(): void
}

type PortOptions = {
  host: string
  port: number
  serve: Serve
  tls: Certificate | undefined
  firstBytesMs?: number
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Undefined until there are enough bytes to decide. */
const speaksHttp2 = (first: Buffer): boolean | undefined => {
  const compared = first.subarray(0, preface.length)
  if (!compared.equals(preface.subarray(0, compared.length))) return false
  return compared.length === preface.length ? true : undefined
}

const sniff = (socket: Socket, serve: Serve, silent: Set<Socket>, firstBytesMs: number): void => {
  let first = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), firstBytesMs)
  silent.add(socket)
  const over = (): void => {
    clearTimeout(timer)
    silent.delete(socket)
  }
  const onReadable = (): void => {
    const came: Buffer | null = socket.read()
    if (came) first = Buffer.concat([first, came])
    const http2 = first.length === 0 ? undefined : speaksHttp2(first)
    if (http2 === undefined) return
    over()
    socket.removeListener('readable', onReadable)
    socket.removeListener('close', over)
    socket.unshift(first)
    if (http2) serve.http2(socket)
    else serve.http1(socket)
  }
  socket.on('readable', onReadable)
  socket.once('close', over)
  // Covers errors until a server handles the connection.
  socket.on('error', () => socket.destroy())
}

/**
 * gRPC clients offer only HTTP/2. Browsers and tools offer both, and get HTTP/1.1. Undefined for neither: the handshake
 * fails.
 */
const agreed = ({ protocols }: { protocols: string[] }): string | undefined =>
  ['http/1.1', 'h2'].find((protocol) => protocols.includes(protocol))

const listening = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(new Error(`Cannot listen on ${host}:${port}: ${error.message}`))
    server.once('error', refuse)
    server.listen({ host, port }, () => {
      server.removeListener('error', refuse)
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })

export const openPort = async (options: PortOptions): Promise<Port> => {
  const { host, port, serve, tls, firstBytesMs = firstBytesMaxMs } = options
  const silent = new Set<Socket>()
  const take = (socket: Socket): void => sniff(socket, serve, silent, firstBytesMs)
  const server = tls
    ? createTlsServer(
        {
          cert: tls.certificate,
          key: tls.key,
          minVersion: 'TLSv1.2',
          ALPNCallback: agreed,
          handshakeTimeout: firstBytesMs,
          noDelay: true,
        },
        take,
      )
    : createServer({ noDelay: true }, take)
  // Sockets below TLS, to be destroyed when they do not close in time.
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const number = await listening(server, host, port)
  // A connection that could not be accepted: the client sees the error.
  server.on('error', () => {})
  return {
    number,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of silent) socket.destroy()
      }),
    destroyAll: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
