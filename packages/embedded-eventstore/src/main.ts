#!/usr/bin/env node
// Runs the embedded event store as a process.
import { createInterface } from 'node:readline'
import { backUp } from './backup.ts'
import { type Command, help, readCommand } from './command-line.ts'
import type { Options } from './options.ts'
import { hashPassword } from './security/users.ts'
import { start } from './start.ts'

const fail = (error: unknown): never => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const read = (): Command => {
  try {
    return readCommand(process.argv.slice(2), process.env)
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\nTry --help.`)
  }
}

const serve = async (options: Options): Promise<void> => {
  const store = await start(options)
  process.once('SIGTERM', store.stop)
  process.once('SIGINT', store.stop)
  const { port, connectionString } = store
  print(JSON.stringify({ listening: true, port, connectionString }))
  await store.stopped
  process.exit(0)
}

const hashOne = async (): Promise<void> => {
  for await (const password of createInterface({ input: process.stdin })) {
    print(await hashPassword(password))
    return
  }
  throw new Error('No password came on standard input.')
}

const run = async (command: Command): Promise<void> => {
  switch (command.kind) {
    case 'help':
      return print(help.trimEnd())
    case 'hash-password':
      return hashOne()
    case 'backup':
      return print(JSON.stringify(await backUp(command.directory, command.to)))
    case 'serve':
      return serve(command.options)
  }
}

run(read()).catch(fail)
