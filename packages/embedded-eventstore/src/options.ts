// The options of the node, and which combinations are valid.

import type { ProjectionMode } from './projections/projections.ts'
import { loadCertificate, selfSigned, type Tls } from './security/certificate.ts'
import { readUsersFile, type UserSetting } from './security/users.ts'

export type Options = {
  /** The port to listen on; 0, the default of `start()`, takes any free one. */
  readonly port?: number
  /** The interface to listen on; other than loopback only with TLS and users. */
  readonly host?: string
  /** The folder of the database file. */
  readonly directory?: string
  /** Keeps all events in memory; the directory then holds at most a certificate. */
  readonly memory?: boolean
  /** Acknowledges before the disk is flushed: a power cut can lose acknowledged events. For tests on slow disks. */
  readonly unsafeDisableFlushToDisk?: boolean
  /** The address for clients that discover the node by gossip, when it differs from `host`. */
  readonly advertiseHost?: string
  readonly advertisePort?: number
  /** State of the system projections at the start. */
  readonly systemProjections?: ProjectionMode
  /** PEM files: with them the node uses TLS, and requires a name and a password. */
  readonly tlsCertificate?: string
  readonly tlsKey?: string
  /** TLS with a self-signed certificate, for development. */
  readonly tlsSelfSigned?: boolean
  /** The users that may sign in. */
  readonly users?: readonly UserSetting[]
  /** The users as a JSON file, with hashes instead of passwords. */
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

/** The host name for clients on this machine: "every interface" is no address, and TLS needs a name. */
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
 * @returns undefined when there is no access control
 * @throws when options contradict each other, with the option to set
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
 * True when a Host header names this node. Without passwords this is the only protection against pages of other origins
 * that rebind their name to this machine to read its events.
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
