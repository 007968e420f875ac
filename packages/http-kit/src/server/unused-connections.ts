// Lets a server stop while browsers hold connections that they opened ahead of need: Node.js would wait for their first request.
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'

/** @returns what closes them */
export const trackUnusedConnections = (server: Server): (() => void) => {
  const unused = new Set<Socket>()
  const used = ({ socket }: IncomingMessage) => unused.delete(socket)
  server.on('request', used).on('upgrade', used)
  server.on('connection', (socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  return () => {
    for (const socket of unused) socket.destroy()
  }
}
