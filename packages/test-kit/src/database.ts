// A Postgres database of a test's own, which can be made to fail.
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import pino from 'pino'
import { inject } from 'vitest'

export type TestDatabase = {
  readonly url: string
  readonly client: pg.Client
  /** Ends every connection but `client`, and lets none in until the answer is called. */
  readonly interrupt: () => Promise<() => Promise<void>>
  readonly remove: () => Promise<void>
}

const urlOf = (name: string): string => {
  const url = new URL(inject('databaseUrl'))
  url.pathname = `/${name}`
  return url.href
}

/** Makes the template unless it is there; others wait meanwhile. It has its name once it is whole. */
const makeTemplate = async (server: pg.Client, name: string) => {
  await server.query('select pg_advisory_lock(1)')
  const { rowCount } = await server.query('select from pg_database where datname = $1', [name])
  if (rowCount === 0) {
    const making = `${name}_making`
    await server.query(`create database ${making}`)
    const { openDatabase } = await import('@headwater/jobs/database')
    const { pool, prepare } = openDatabase(urlOf(making), pino({ level: 'silent' }))
    await prepare()
    await pool.end()
    await server.query(`alter database ${making} rename to ${name}`)
  }
  await server.query('select pg_advisory_unlock(1)')
}

/**
 * A database of the test's own on the server that the run was given.
 * @param empty without any table, as the first process of all finds it
 */
export const testDatabase = async ({ empty = false } = {}): Promise<TestDatabase> => {
  const server = new pg.Client(inject('databaseUrl'))
  await server.connect()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const template = empty ? 'template1' : inject('databaseTemplate')
  if (!empty) await makeTemplate(server, template)
  await server.query(`create database ${name} template ${template} strategy file_copy`)
  const url = urlOf(name)
  const client = new pg.Client(url)
  await client.connect()
  return {
    url,
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
