// A PostgreSQL of a test's own, which can be stopped or killed and comes back on the same port with the same data.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { freePort } from '@headwater/test-kit/free-port'
import { removePostgresData, startPostgres } from '@headwater/test-kit/local-postgres'

export type OwnPostgres = {
  readonly url: string
  readonly port: number
  /** `kill` loses what was not on its way to the disk; either ends every connection. */
  readonly end: (how: 'stop' | 'kill') => Promise<void>
  readonly start: () => Promise<void>
  readonly remove: () => Promise<void>
}

export const startOwnPostgres = async (directory: string): Promise<OwnPostgres> => {
  const dataDir = path.join(directory, 'postgres')
  const port = await freePort()
  // What it has promised to keep it keeps when it is killed.
  const start = () => startPostgres({ dataDir, port, durable: true })
  let running = await start()
  return {
    url: running.url,
    port,
    end: (how) => running[how](),
    start: async () => {
      running = await start()
    },
    remove: async () => {
      await running.stop()
      removePostgresData(dataDir)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
