// A browser in which somebody is signed in: all it asks for passes through here and is given their token on the way.
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export const startSignedIn = async (target: string, token: Readonly<Record<string, string>>) => {
  let headers = token
  const sockets = new Set<Socket>()
  /** The browser's own `host` goes along: pages refuse forms and sockets that come from elsewhere. */
  const ask = (incoming: IncomingMessage) =>
    request(new URL(incoming.url ?? '/', target), {
      method: incoming.method,
      headers: { ...incoming.headers, ...headers },
    })

  const server = createServer((incoming, answer) => {
    const asked = ask(incoming)
    asked.once('response', (response) => {
      // What the gateway says of its connection is not true of this one: whoever believes it writes to a closed one.
      const { connection: _connection, 'keep-alive': _keepAlive, ...headers } = response.headers
      answer.writeHead(response.statusCode ?? 502, headers)
      response.pipe(answer)
    })
    asked.once('error', () => answer.destroy())
    incoming.pipe(asked)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (incoming, socket: Socket, head) => {
    const asked = ask(incoming)
    const end = () => socket.destroy()
    asked.once('upgrade', ({ rawHeaders }, upgraded: Socket, first) => {
      const lines = rawHeaders.flatMap((name, place) => (place % 2 === 0 ? [`${name}: ${rawHeaders[place + 1]}`] : []))
      socket.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'))
      socket.write(first)
      upgraded.write(head)
      upgraded.pipe(socket).pipe(upgraded)
      upgraded.once('close', end).once('error', end)
      socket.once('close', () => upgraded.destroy()).once('error', () => upgraded.destroy())
    })
    asked.once('response', end).once('error', end)
    asked.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    /** Until they sign in again, nobody is there; what is connected already stays so. */
    signOut: () => {
      headers = {}
    },
    signIn: () => {
      headers = token
    },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const closed = once(server.close(), 'close')
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
