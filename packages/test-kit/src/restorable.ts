// An event store and a PostgreSQL of a test's own, each backed up while it serves and restored at the same address.
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { start } from '@headwater/embedded-eventstore'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { freePort } from './free-port.ts'
import { startPostgres } from './local-postgres.ts'

const eventStoreMain = path.resolve(import.meta.dirname, '../../embedded-eventstore/src/main.ts')

const newFolder = (name: string) => {
  const folder = mkdtempSync(path.join(tmpdir(), `${name}-`))
  chmodSync(folder, 0o755) // PostgreSQL may run as another user
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return (name: string) => path.join(folder, name)
}

export const startRestorableStore = async () => {
  const at = newFolder('restorable-store')
  const port = await freePort()
  const begin = () => start({ directory: at('data'), port })
  let node = await begin()
  onTestFinished(() => node.stop())
  return {
    connectionString: node.connectionString,
    backUp: async (name: string) => {
      const command = ['backup', '--directory', at('data'), '--to', at(name)]
      const { stdout } = await promisify(execFile)(process.execPath, [eventStoreMain, ...command])
      return JSON.parse(stdout) as { readonly position: number }
    },
    restore: async (name: string) => {
      await node.stop()
      rmSync(at('data'), { recursive: true })
      cpSync(at(name), at('data'), { recursive: true })
      node = await begin()
    },
  }
}

/** What PostgreSQL says a base backup leaves out. */
const leftOut = ['postmaster.pid', 'postmaster.opts', 'pg_wal', 'pg_replslot', 'pg_notify', 'pg_subtrans']
const emptyFolders = ['pg_replslot', 'pg_notify', 'pg_subtrans']

const copy = (from: string, to: string) => {
  const copied = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' }) // with owners, also when this is root
  if (copied.status !== 0) throw new Error(copied.stderr)
}

/** Backed up as PostgreSQL's documentation has it: "Making a Base Backup Using the Low Level API". */
export const startRestorablePostgres = async () => {
  const at = newFolder('restorable-postgres')
  const dataDir = at('data')
  let server = await startPostgres({ dataDir, port: 0, durable: false })
  let client = new pg.Client(server.url)
  await client.connect()
  const end = async () => {
    await client.end()
    await server.stop()
  }
  onTestFinished(() => end())
  const { url } = server
  return {
    url,
    client: () => client,
    backUp: async (name: string) => {
      await client.query('select pg_backup_start($1, true)', [name])
      copy(dataDir, at(name))
      for (const left of leftOut) rmSync(path.join(at(name), left), { recursive: true, force: true })
      const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
      copy(path.join(dataDir, 'pg_wal'), path.join(at(name), 'pg_wal'))
      // Owned by whoever owns the rest.
      copy(path.join(at(name), 'PG_VERSION'), path.join(at(name), 'backup_label'))
      writeFileSync(path.join(at(name), 'backup_label'), rows[0]?.labelfile ?? '')
      for (const empty of emptyFolders) {
        copy(path.join(dataDir, 'pg_tblspc'), path.join(at(name), empty))
      }
    },
    restore: async (name: string) => {
      await end()
      rmSync(dataDir, { recursive: true })
      copy(at(name), dataDir)
      server = await startPostgres({ dataDir, port: Number(new URL(url).port), durable: false })
      client = new pg.Client(server.url)
      await client.connect()
    },
  }
}
