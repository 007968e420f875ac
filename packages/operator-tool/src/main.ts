#!/usr/bin/env node
// The operator's tool as a process: `npm run headwater -- <command>`, or `headwater <command>` in an image.
import { run } from './run.ts'

/** For what is left to be said after Ctrl-C. */
const endMsMax = 8_000
const interruptedCode = 130

const ending = new AbortController()
// The second Ctrl-C ends it at once.
process.once('SIGINT', () => {
  ending.abort()
  setTimeout(() => process.exit(interruptedCode), endMsMax).unref()
})
// `| head` has read enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY,
  signal: ending.signal,
})
process.exit(exitCode)
