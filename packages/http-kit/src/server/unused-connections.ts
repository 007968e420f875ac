// Lets a server stop while browsers hold connections that they opened ahead of need: Node.js would wait for their first request.
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpServer } from './server.ts'

export const closeUnusedConnections = (server: HttpServer): void => {
  const unused = new Set<Socket>()
  const used = ({ socket }: IncomingMessage) => unused.delete(socket)
  server.server.on('request', used).on('upgrade', used)
  server.server.on('connection', (socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.addHook('preClose', async () => {
    for (const socket of unused) socket.destroy()
  })
}
