// Gives the tests a PostgreSQL: the server that DATABASE_URL names, or one of this run's own that goes with it.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { startPostgres } from '../postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server on which each test file makes a database of its own. */
    databaseUrl: string
  }
}

const dataDir = path.resolve(import.meta.dirname, '../../.data/test-postgres')

/** Folders are named by the process that uses them; a run that was killed leaves its own behind. */
const removeLeftovers = () => {
  for (const name of readdirSync(dataDir)) {
    if (existsSync(`/proc/${name}`)) continue
    rmSync(path.join(dataDir, name), { recursive: true, force: true })
  }
}

export default async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  const given = process.env.DATABASE_URL
  if (given) {
    project.provide('databaseUrl', given)
    return undefined
  }
  mkdirSync(dataDir, { recursive: true })
  removeLeftovers()
  const own = path.join(dataDir, String(process.pid))
  const postgres = await startPostgres({ dataDir: own, port: 0, durable: false })
  project.provide('databaseUrl', postgres.url)
  return async () => {
    await postgres.stop()
    rmSync(own, { recursive: true, force: true })
  }
}
