// What stands before the gateways, as an ingress does: one address, whose new connections lead to where the test says.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Front = {
  readonly url: string
  /** From now on; connections that are there stay. */
  readonly leadTo: (url: string) => void
  /** How many connections lead there. */
  readonly connectionsTo: (url: string) => number
  readonly close: () => Promise<void>
}

export const startFront = async (firstUrl: string): Promise<Front> => {
  let target = firstUrl
  const sockets = new Set<Socket>()
  const connections = new Map<string, number>()
  const count = (url: string, more: number) => connections.set(url, (connections.get(url) ?? 0) + more)
  const server = createServer({ allowHalfOpen: true }, (from) => {
    const leadsTo = target
    const to = connect({ port: Number(new URL(leadsTo).port), host: '127.0.0.1', allowHalfOpen: true })
    count(leadsTo, 1)
    to.on('close', () => count(leadsTo, -1))
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo: (url) => {
      target = url
    },
    connectionsTo: (url) => connections.get(url) ?? 0,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
