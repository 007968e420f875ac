// Runs the node in a process that reports its memory and sockets. Run with --expose-gc.
import { start } from '../../src/start.ts'

export type Held = {
  /** After a full collection, with buffers outside of the heap. */
  readonly bytes: number
  /** Open sockets, listening ones included. */
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
  // The process then ends by itself, unless a handle leaks.
  else void store.stop().then(() => process.disconnect())
})
process.send?.({ port: store.port })
