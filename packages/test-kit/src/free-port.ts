// Ports for processes that are started after their port was chosen.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below what Linux gives to whoever asks for any, outgoing connections too: one of those would be taken again in between. */
const all = { from: 10_000, to: 32_000 }
const triesMax = 50

/**
 * Test files run beside each other, each in a place of a few: it has ports of its own there, for what one has chosen and
 * its process has not taken yet is free to all others. Places beyond these share.
 */
const places = 8
const place = Number(process.env.VITEST_POOL_ID)
const width = (all.to - all.from) / places
const from = all.from + (place % places) * width
const ports = place > 0 ? { from, to: from + width } : all
const given = new Set<number>()

export const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })

/** By chance, so that two who choose at once choose two; none twice. */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(ports.from, ports.to)
    if (given.has(port) || !(await portIsFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`Of ${triesMax} ports none was free.`)
}
