// What the node can be told when it starts, and which of it goes together.

import type { ProjectionMode } from './projections/projections.ts'
import { loadCertificate, selfSigned, type Tls } from './security/certificate.ts'
import { readUsersFile, type UserSetting } from './security/users.ts'

export type Options = {
  /** Where to listen; 0, which is the default of `start()`, takes any free one. */
  readonly port?: number
  /** The interface to listen on; beyond this machine only with TLS and users. */
  readonly host?: string
  /** Where the file with the events is. */
  readonly directory?: string
  /** Keeps everything in memory; the directory holds at most a certificate then. */
  readonly memory?: boolean
  /** Acknowledges before it is on the disk itself: what a power cut takes with it was acknowledged. For tests on slow disks. */
  readonly unsafeDisableFlushToDisk?: boolean
  /** Where clients that discover the node by gossip reach it, when that is not where it listens. */
  readonly advertiseHost?: string
  readonly advertisePort?: number
  /** What becomes of the system projections at the start. */
  readonly systemProjections?: ProjectionMode
  /** Files in PEM: the node speaks TLS, and asks everybody for a name and a password. */
  readonly tlsCertificate?: string
  readonly tlsKey?: string
  /** TLS with a certificate of its own making, for development. */
  readonly tlsSelfSigned?: boolean
  /** Who may sign in. */
  readonly users?: readonly UserSetting[]
  /** The same as JSON in a file, with hashes instead of passwords. */
  readonly usersFile?: string
}

export const defaults = {
  port: 2113,
  host: '127.0.0.1',
  directory: '.data/eventstore',
  systemProjections: 'stopped',
} as const

const isLoopback = (host: string): boolean => /^127\.\d+\.\d+\.\d+$|^::1$|^(.+\.)?localhost$/i.test(host)
const isEverywhere = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** What clients on this machine call it: an address that means "every interface" is none, and TLS wants names. */
export const reachable = (host: string, tls: boolean): string =>
  isEverywhere(host) || (tls && isLoopback(host)) ? 'localhost' : host

const ipLiteral = /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:.]+\])$/i

const tlsOf = (options: Options, hosts: readonly string[]): Tls | undefined => {
  const { tlsCertificate, tlsKey, tlsSelfSigned = false, memory = false, directory = defaults.directory } = options
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) {
    throw new Error('A TLS certificate and its key go together: set both, or neither.')
  }
  if (tlsCertificate === undefined || tlsKey === undefined) {
    return tlsSelfSigned ? selfSigned(memory ? undefined : directory, hosts) : undefined
  }
  if (tlsSelfSigned) throw new Error('Set either a TLS certificate or that the node makes its own, not both.')
  return loadCertificate(tlsCertificate, tlsKey)
}

const usersOf = ({ users, usersFile }: Options): readonly UserSetting[] | undefined => {
  if (users !== undefined && usersFile !== undefined) throw new Error('Set users or a users file, not both.')
  return usersFile === undefined ? users : readUsersFile(usersFile)
}

export type Security = { readonly tls: Tls; readonly users: readonly UserSetting[] }

/**
 * @returns undefined when everybody may do everything
 * @throws when options do not go together, with what to set
 */
export const securityOf = (options: Options): Security | undefined => {
  const { host = defaults.host, advertiseHost = host } = options
  const users = usersOf(options)
  const hosts = new Set(['localhost', '127.0.0.1', '::1', host, advertiseHost])
  const tls = tlsOf(
    options,
    [...hosts].filter((name) => !isEverywhere(name)),
  )
  if (tls && !users) {
    throw new Error(
      'With TLS everybody has to sign in, and there are no users: set EMBEDDED_EVENTSTORE_USERS to [{"name":"admin","password":"...","groups":["$admins"]}], or a users file.',
    )
  }
  if (users && !tls) {
    throw new Error('Users need TLS, because clients send no passwords without it: set a TLS certificate and key.')
  }
  if (!tls && !isLoopback(host)) {
    throw new Error(
      `Without TLS and users whoever reaches the port may do everything, so "${host}" is refused: set both, or listen on 127.0.0.1.`,
    )
  }
  return tls && users ? { tls, users } : undefined
}

/**
 * Whether a Host header names this node. Without passwords nothing else keeps a page of another origin, whose name was made
 * to mean this machine, from reading what is stored here.
 */
export const ownHost = ({ host = defaults.host, advertiseHost = host }: Options, security: Security | undefined) => {
  return (header: string): boolean => {
    const name = header.replace(/:\d*$/, '').toLowerCase()
    if (security || name === '') return true
    return (
      isLoopback(name) || ipLiteral.test(name) || name === host.toLowerCase() || name === advertiseHost.toLowerCase()
    )
  }
}
