#!/usr/bin/env node
// The embedded event store as a process of its own.
import { parseArgs } from 'node:util'
import { backUp } from './backup.ts'
import { defaults, start } from './start.ts'

const help = `embedded-eventstore: speaks EventStoreDB's gRPC protocol over one SQLite file, for development, tests and demos.

  --port <number>     where to listen, 0 for any free port   (EMBEDDED_EVENTSTORE_PORT, default ${defaults.port})
  --host <address>    the interface to listen on             (EMBEDDED_EVENTSTORE_HOST, default ${defaults.host})
  --directory <path>  where eventstore.sqlite is kept        (EMBEDDED_EVENTSTORE_DIRECTORY, default ${defaults.directory})
  --help              this text

There is no encryption and no authentication: whoever reaches the port may do everything.
When it listens it prints one line of JSON: {"listening":true,"port":...,"connectionString":"..."}

  backup --to <folder>   copies the events of --directory into a folder, while they are served or not;
                         prints {"file":"...","position":<of the last event in it>}. To restore, serve that folder.
`

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

const readOptions = () => {
  const text = { type: 'string' } as const
  try {
    const options = { port: text, host: text, directory: text, to: text, help: { type: 'boolean' } } as const
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    const [command, ...more] = positionals
    if (more.length > 0 || (command !== undefined && command !== 'backup'))
      throw new Error(`Nobody knows what to do about "${positionals.join(' ')}".`)
    if ((command === undefined) !== (values.to === undefined)) throw new Error('backup and --to go together.')
    return values
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\nTry --help.`)
  }
}

const readPort = (text: string): number => {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) fail(`"${text}" is not a port number.`)
  return port
}

const run = async (): Promise<void> => {
  const options = readOptions()
  if (options.help) {
    process.stdout.write(help)
    return
  }
  const { env } = process
  const directory = options.directory ?? env.EMBEDDED_EVENTSTORE_DIRECTORY ?? defaults.directory
  if (options.to !== undefined) {
    process.stdout.write(`${JSON.stringify(await backUp(directory, options.to))}\n`)
    return
  }
  const store = await start({
    port: readPort(options.port ?? env.EMBEDDED_EVENTSTORE_PORT ?? String(defaults.port)),
    host: options.host ?? env.EMBEDDED_EVENTSTORE_HOST ?? defaults.host,
    directory,
  })
  const { port, connectionString } = store
  process.stdout.write(`${JSON.stringify({ listening: true, port, connectionString })}\n`)
  process.once('SIGTERM', store.stop)
  process.once('SIGINT', store.stop)
  await store.stopped
  process.exit(0)
}

run().catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)))
