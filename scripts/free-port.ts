// Ports for processes that are started after their port was chosen.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what Linux gives to whoever asks for any, outgoing connections too: one of those would be taken again in between. */
const ports = { from: 10_000, to: 32_000 }
const triesMax = 50

export const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })

/** By chance, so that two who choose at once choose two. */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(ports.from, ports.to)
    if (await portIsFree(port)) return port
  }
  throw new Error(`Of ${triesMax} ports none was free.`)
}
