// One process of the system under test, which can be killed and comes back on the same port with the same data.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** A projector of the soak reads half a million events first. */
const readyMsMax = 240_000
const outputKept = 20_000
const root = path.resolve(import.meta.dirname, '../../..')

export type Part = {
  readonly name: string
  readonly url: string
  /** @param more settings for this run of it only */
  readonly start: (more?: Readonly<Record<string, string>>) => Promise<void>
  /** Ends it without a word, as a crash does. */
  readonly kill: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Undefined when it does not run, also when it ended by itself. */
  readonly pid: () => number | undefined
  /** Another process with the same settings, but for its port and `more`. */
  readonly beside: (more: Readonly<Record<string, string>>) => Promise<Part>
  /** What it wrote, for the message of a test that fails. */
  readonly output: () => string
}

/** @param readyPath where it answers 200 once it is ready; without, it is when it writes its first line */
export const createPart = (
  name: string,
  script: string,
  port: number,
  env: Readonly<Record<string, string>>,
  readyPath?: string,
): Part => {
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let output = ''

  const ended = (process: ChildProcess) =>
    new Promise<void>((resolve) => {
      if (process.exitCode !== null || process.signalCode !== null) resolve()
      else process.once('exit', () => resolve())
    })
  const end = async (signal: NodeJS.Signals) => {
    const running = child
    child = undefined
    if (!running) return
    running.kill(signal)
    await ended(running)
  }
  return {
    name,
    url,
    output: () => output,
    pid: () => (child?.exitCode === null && child.signalCode === null ? child.pid : undefined),
    start: async (more) => {
      const started = spawn(process.execPath, [path.join(root, script)], {
        cwd: root,
        env: { ...process.env, LOG_LEVEL: 'warn', ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child = started
      const listening = new Promise<void>((resolve) => {
        for (const stream of [started.stdout, started.stderr])
          stream?.setEncoding('utf8').on('data', (text: string) => {
            output = (output + text).slice(-outputKept)
            resolve()
          })
      })
      const failed = ended(started).then(() => {
        if (child === started) throw new Error(`${name} ended while starting:\n${output}`)
      })
      const hasEnded = () => started.exitCode !== null || started.signalCode !== null
      // Asking ends with the process: a test that failed meanwhile leaves nothing behind.
      const ready = readyPath
        ? until(
            `${name} is ready`,
            async () => hasEnded() || (await fetch(url + readyPath).catch(() => undefined))?.ok === true,
            readyMsMax,
          )
        : listening
      await Promise.race([failed, ready])
      if (child === started && hasEnded()) await failed
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    signal: (signal) => void child?.kill(signal),
    beside: async (more) => {
      const port = await freePort()
      return createPart(`${name} beside`, script, port, { ...env, ...more, PORT: String(port) }, readyPath)
    },
  }
}
