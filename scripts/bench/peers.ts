// Installs what the bench compares with, once, into a workspace of its own.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const outputBytesMax = 64 * 1024 * 1024
const reasonLengthMax = 200

const directory = path.join(import.meta.dirname, 'peers')
const inputs = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml']
const stampFile = path.join(directory, 'node_modules', '.setup-stamp')

const fingerprint = (): string => {
  const hash = createHash('sha256').update(process.version)
  for (const file of inputs) hash.update(readFileSync(path.join(directory, file)))
  return hash.digest('hex')
}

/** Returns why it failed. */
const install = (...flags: readonly string[]): string | undefined => {
  const { status, error, stderr, stdout } = spawnSync(
    'pnpm',
    ['--dir', directory, 'install', '--frozen-lockfile', '--reporter=append-only', ...flags],
    { encoding: 'utf8', env: { ...process.env, CI: 'true' }, maxBuffer: outputBytesMax },
  )
  if (status === 0) return undefined
  const said = `${stdout ?? ''}\n${stderr ?? ''}`.split('\n').filter((line) => /ERR|error/i.test(line))
  return (error?.message ?? said.at(-1) ?? `pnpm ended with ${status}`).trim().slice(0, reasonLengthMax)
}

/**
 * SQLite for emmett-sqlite is compiled where there is no binary for this machine; that takes a minute. Where it cannot
 * be, only what needs it is missing. Returns why nothing could be installed.
 */
export const installPeers = (say: (text: string) => void): string | undefined => {
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint()) return undefined
  say('installing what to compare with (the first time takes about a minute) ...')
  const failure = install()
  if (failure !== undefined) {
    say(`not everything could be built, going on without: ${failure}`)
    const again = install('--ignore-scripts')
    return again === undefined ? undefined : `its packages could not be installed: ${again}`
  }
  writeFileSync(stampFile, fingerprint())
  return undefined
}

/** The version of an installed peer. */
export const peerVersion = (name: string): string => {
  const manifest = path.join(directory, 'node_modules', name, 'package.json')
  return existsSync(manifest) ? String(JSON.parse(readFileSync(manifest, 'utf8')).version) : 'not installed'
}

/** The file of an installed peer's command. */
export const peerFile = (...parts: readonly string[]): string => path.join(directory, 'node_modules', ...parts)
