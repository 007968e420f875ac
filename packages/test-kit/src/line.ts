// A TCP line between two parts that a test can cut, slow down, or have swallow all that is sent.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Line = {
  readonly port: number
  /** How many connections there are. */
  readonly connections: () => number
  /** Ends every connection at once, as a network device that forgets them does. */
  readonly cut: () => void
  /** Swallows what is sent from now on, both ways, while the connections stay: half-open. With `newToo` also on new connections. */
  readonly silence: (options: { readonly newToo: boolean }) => void
  /** So much later arrives what is sent from now on. */
  readonly delay: (ms: number) => void
  /** As new; what was silenced has lost bytes and is ended. */
  readonly heal: () => void
  readonly close: () => Promise<void>
}

type Connection = { silent: boolean; readonly end: () => void }

/** Hands over what arrives, in its order, also while the delay changes. */
const relay = (from: Socket, to: Socket, isSilent: () => boolean, delayMs: () => number): void => {
  const waiting: (() => void)[] = []
  let lastDueMs = 0
  const later = (act: () => void) => {
    lastDueMs = Math.max(lastDueMs, performance.now() + delayMs())
    const waitMs = lastDueMs - performance.now()
    if (waitMs <= 0 && waiting.length === 0) return act()
    waiting.push(act)
    setTimeout(() => waiting.shift()?.(), waitMs)
  }
  from.on('data', (bytes) => {
    later(() => {
      if (isSilent() || to.destroyed || to.write(bytes)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
  })
  from.on('end', () => {
    later(() => {
      if (!isSilent()) to.end()
    })
  })
}

/** @param to the port on this machine that the line leads to */
export const startLine = async (to: number): Promise<Line> => {
  const connections = new Set<Connection>()
  let delayMs = 0
  let newAreSilent = false

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const connection: Connection = {
      silent: newAreSilent,
      end: () => {
        near.destroy()
        far.destroy()
      },
    }
    connections.add(connection)
    const isSilent = () => connection.silent
    relay(near, far, isSilent, () => delayMs)
    relay(far, near, isSilent, () => delayMs)
    for (const socket of [near, far])
      socket
        .on('error', () => undefined) // 'close' follows
        .on('close', () => {
          // Nobody learns over a silent line that the other end is gone.
          if (connection.silent) return
          connection.end()
          connections.delete(connection)
        })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const endWhere = (chosen: (connection: Connection) => boolean) => {
    for (const connection of [...connections].filter(chosen)) {
      connections.delete(connection)
      connection.silent = false
      connection.end()
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections.size,
    cut: () => endWhere(() => true),
    silence: ({ newToo }) => {
      newAreSilent = newToo
      for (const connection of connections) connection.silent = true
    },
    delay: (ms) => {
      delayMs = ms
    },
    heal: () => {
      delayMs = 0
      newAreSilent = false
      endWhere(({ silent }) => silent)
    },
    close: async () => {
      endWhere(() => true)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
