// The node in a process of its own that can be asked what it holds. Run with --expose-gc.
import { start } from '../../src/start.ts'

export type Held = {
  /** After a full collection, buffers outside of the heap included. */
  readonly bytes: number
  /** Connections, listening ones included. */
  readonly sockets: number
}

const held = (): Held => {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  const isSocket = (resource: string) => /^TCP/.test(resource)
  return { bytes: heapUsed + external, sockets: process.getActiveResourcesInfo().filter(isSocket).length }
}

const store = await start({ memory: true })
process.on('message', (asked) => {
  if (asked === 'held') process.send?.(held())
  // It then ends by itself, unless something is left open.
  else void store.stop().then(() => process.disconnect())
})
process.send?.({ port: store.port })
