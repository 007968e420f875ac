// A Postgres database of a test's own, which can be made to fail.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export type TestDatabase = {
  readonly url: string
  readonly client: pg.Client
  /** Ends every connection but `client`, and lets none in until the answer is called. */
  readonly interrupt: () => Promise<() => Promise<void>>
  readonly remove: () => Promise<void>
}

/** A database of the test's own on the server that the run was given. */
export const testDatabase = async (): Promise<TestDatabase> => {
  const server = new pg.Client(inject('databaseUrl'))
  await server.connect()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await server.query(`create database ${name}`)
  const url = new URL(inject('databaseUrl'))
  url.pathname = `/${name}`
  const client = new pg.Client(url.href)
  await client.connect()
  return {
    url: url.href,
    client,
    interrupt: async () => {
      await server.query(`alter database ${name} allow_connections = false`)
      await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
                          where datname = current_database() and pid <> pg_backend_pid()`)
      return async () => {
        await server.query(`alter database ${name} allow_connections = true`)
      }
    },
    remove: async () => {
      await client.end()
      await server.query(`drop database ${name} with (force)`)
      await server.end()
    },
  }
}
