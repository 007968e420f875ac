// Gives the tests a PostgreSQL: the server that DATABASE_URL names, or one of this run's own that goes with it.
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { startPostgres } from '@headwater/test-kit/local-postgres'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { scratch } from './scratch.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A server on which each test file makes a database of its own. */
    databaseUrl: string
    /** What the first that needs it makes, and databases are copied from. */
    databaseTemplate: string
  }
}

export default async (project: TestProject): Promise<() => Promise<void>> => {
  const template = `template_${randomUUID().replaceAll('-', '')}`
  project.provide('databaseTemplate', template)
  const given = process.env.DATABASE_URL
  if (given) {
    project.provide('databaseUrl', given)
    return async () => {
      const server = new pg.Client(given)
      await server.connect()
      await server.query(`drop database if exists ${template}`)
      await server.end()
    }
  }
  const postgres = await startPostgres({ dataDir: path.join(scratch, 'postgres'), port: 0, durable: false })
  project.provide('databaseUrl', postgres.url)
  return postgres.stop
}
