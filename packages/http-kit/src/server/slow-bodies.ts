// Ends the connection of a client that never sends the whole of its request's body: Node's own time-out ends with the headers.
import type { IncomingMessage, Server } from 'node:http'

export const endSlowBodies = (server: Server, timeoutMs: number): void => {
  server.on('request', (request: IncomingMessage) => {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
    if (length === '0' && encoding === undefined) return
    const timer = setTimeout(() => {
      if (!request.complete) request.socket.destroy()
    }, timeoutMs)
    request.once('close', () => clearTimeout(timer))
  })
}
