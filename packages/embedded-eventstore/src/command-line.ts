// Reads the command line and the environment, and explains both.
import { parseArgs } from 'node:util'
import { defaults, type Options } from './options.ts'
import { type ProjectionMode, projectionModes } from './projections/projections.ts'
import { parseUsers } from './security/users.ts'

type Option = { readonly value?: string; readonly text: string; readonly default?: string }

const serveOptions = {
  port: { value: 'number', text: 'where to listen, 0 for any free port', default: String(defaults.port) },
  host: { value: 'address', text: 'the interface; beyond this machine only with TLS', default: defaults.host },
  directory: { value: 'path', text: 'where eventstore.sqlite is kept', default: defaults.directory },
  memory: { text: 'keep everything in memory' },
  'unsafe-disable-flush-to-disk': { text: 'acknowledge before it is on the disk itself' },
  'advertise-host': { value: 'name', text: 'where clients that discover it reach it', default: 'the host' },
  'advertise-port': { value: 'number', text: 'the same', default: 'the port' },
  'system-projections': {
    value: 'mode',
    text: 'off, stopped or running',
    default: defaults.systemProjections,
  },
  'tls-certificate': { value: 'file', text: 'speak TLS, with this certificate (PEM)' },
  'tls-key': { value: 'file', text: 'and its key (PEM)' },
  'tls-self-signed': { text: 'speak TLS with a certificate of its own, kept in the directory' },
  'users-file': { value: 'file', text: 'who may sign in: JSON as below, with passwordHash' },
} as const satisfies Record<string, Option>

type Name = keyof typeof serveOptions

const environmentName = (name: string): string => `EMBEDDED_EVENTSTORE_${name.replaceAll('-', '_').toUpperCase()}`
const usersVariable = environmentName('users')

const line = ([name, option]: [string, Option]): string => {
  const left = `  --${name}${option.value === undefined ? '' : ` <${option.value}>`}`
  return `${left.padEnd(34)}${option.text}${option.default === undefined ? '' : ` (${option.default})`}`
}

export const help = `embedded-eventstore: speaks EventStoreDB's gRPC protocol over one SQLite file, for development, tests and demos.

${Object.entries(serveOptions).map(line).join('\n')}
  --help                          this text

Every option is also read from the environment: --users-file from ${environmentName('users-file')}.
Without TLS there are no users: whoever reaches the port may do everything, so it listens on this machine only.
With TLS everybody signs in. Users come from a file, or as JSON from ${usersVariable}:
  [{"name":"admin","password":"...","groups":["$admins"]}]
When it listens it prints one line of JSON: {"listening":true,"port":...,"connectionString":"..."}
At that port there is also a page for browsers, with the streams and their events.

  backup --to <folder>            copies the events of --directory into a folder, while they are served or not;
                                  prints {"file":"...","position":<of the last event in it>}. To restore, serve that folder.
  hash-password                   reads a password from standard input and prints its passwordHash for a users file.
`

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'hash-password' }
  | { readonly kind: 'backup'; readonly directory: string; readonly to: string }
  | { readonly kind: 'serve'; readonly options: Options }

const portOf = (name: Name, text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw new Error(`${name}: "${text}" is not a port number.`)
  return port
}

const projectionModeOf = (name: Name, text: string): ProjectionMode => {
  const mode = projectionModes.find((each) => each === text)
  if (mode === undefined) throw new Error(`${name}: "${text}" is none of ${projectionModes.join(', ')}.`)
  return mode
}

const flagOf = (name: Name, text: string): boolean => {
  if (text !== 'true' && text !== 'false')
    throw new Error(`${environmentName(name)}: "${text}" is neither true nor false.`)
  return text === 'true'
}

const given = <Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> =>
  value === undefined ? {} : ({ [key]: value } as Record<Key, Value>)

/** @throws an error that names the wrong option */
export const readCommand = (args: readonly string[], environment: NodeJS.ProcessEnv): Command => {
  const types = Object.entries<Option>(serveOptions).map(([name, option]): [string, { type: 'string' | 'boolean' }] => [
    name,
    { type: option.value === undefined ? 'boolean' : 'string' },
  ])
  const options = { ...Object.fromEntries(types), to: { type: 'string' }, help: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  if (values.help) return { kind: 'help' }
  const [command = 'serve', ...more] = positionals
  if (more.length > 0 || !['serve', 'backup', 'hash-password'].includes(command)) {
    throw new Error(`Nobody knows what to do about "${positionals.join(' ')}".`)
  }
  if ((command === 'backup') !== (values.to !== undefined)) throw new Error('backup and --to go together.')

  const text = (name: Name): string | undefined => {
    const value = (values as Record<string, string | boolean | undefined>)[name]
    return value === undefined ? environment[environmentName(name)] : String(value)
  }
  const number = (name: Name): number | undefined => {
    const value = text(name)
    return value === undefined ? undefined : portOf(name, value)
  }
  const flag = (name: Name): boolean => flagOf(name, text(name) ?? 'false')
  const directory = text('directory') ?? defaults.directory
  if (command === 'hash-password') return { kind: command }
  if (values.to !== undefined) return { kind: 'backup', directory, to: String(values.to) }
  const users = environment[usersVariable]
  return {
    kind: 'serve',
    options: {
      port: number('port') ?? defaults.port,
      host: text('host') ?? defaults.host,
      directory,
      memory: flag('memory'),
      systemProjections: projectionModeOf(
        'system-projections',
        text('system-projections') ?? defaults.systemProjections,
      ),
      unsafeDisableFlushToDisk: flag('unsafe-disable-flush-to-disk'),
      tlsSelfSigned: flag('tls-self-signed'),
      ...given('advertiseHost', text('advertise-host')),
      ...given('advertisePort', number('advertise-port')),
      ...given('tlsCertificate', text('tls-certificate')),
      ...given('tlsKey', text('tls-key')),
      ...given('usersFile', text('users-file')),
      ...given('users', users === undefined ? undefined : parseUsers(users, usersVariable)),
    },
  }
}
