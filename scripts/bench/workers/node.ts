// The embedded event store in a process of its own, which tells what it costs.
import { start } from '@headwater/embedded-eventstore'
import { serveTasks } from '../worker.ts'

let node: Awaited<ReturnType<typeof start>> | undefined

const tasks = {
  /** @returns how long it took until it listened, in milliseconds */
  start: async (options: {
    readonly directory?: string
    readonly memory?: boolean
    readonly unsafeDisableFlushToDisk?: boolean
  }): Promise<{ readonly url: string; readonly tookMs: number }> => {
    const began = performance.now()
    node = await start(options)
    return { url: node.connectionString, tookMs: performance.now() - began }
  },
  /** Processor time since the process began, in microseconds. */
  cpuUs: async (_: undefined): Promise<number> => {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  memoryBytes: async (_: undefined): Promise<number> => process.memoryUsage.rss(),
}

export type NodeTasks = typeof tasks

serveTasks(tasks)
