// Runs one part of the system as a child process and starts it again when it ends by itself.
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Print } from './readable-log.ts'

const restartDelayMsMin = 500
const restartDelayMsMax = 10_000
/** A part that has run for so long starts again with the shortest delay. */
const steadyMsMin = 30_000
/** More than the 10 s in which a service finishes what it is doing. */
const stopMsMax = 12_000

export type Part = {
  readonly name: string
  readonly script: string
  readonly env: Readonly<Record<string, string>>
  readonly port: number
  /** The environment variable that chooses the port. */
  readonly variable: string
  readonly readyUrl?: string
}

export type Supervised = { readonly stop: () => Promise<void> }

/** In groups of their own they would outlive this process when that ends by an error. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

export const supervise = (
  { name, script, env }: Part,
  { root, print }: { readonly root: string; readonly print: Print },
): Supervised => {
  let child: ChildProcess | undefined
  let restart: NodeJS.Timeout | undefined
  let restartDelayMs = restartDelayMsMin
  let stopping = false

  const run = () => {
    const startedAt = Date.now()
    const started = spawn(process.execPath, [path.join(root, script)], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C on a terminal reaches the whole group: a part in a group of its own is stopped by us, in order.
      detached: true,
    })
    child = started
    running.add(started)
    for (const stream of [started.stdout, started.stderr])
      createInterface({ input: stream }).on('line', (line) => print(name, line))
    started.once('error', (error) => print(name, `could not be started: ${error.message}`))
    started.once('close', (code, signal) => {
      running.delete(started)
      child = undefined
      if (stopping) return
      if (Date.now() - startedAt >= steadyMsMin) restartDelayMs = restartDelayMsMin
      print(name, `ended by itself (${signal ?? `exit code ${code}`}); starting it again in ${restartDelayMs} ms`)
      restart = setTimeout(run, restartDelayMs)
      restartDelayMs = Math.min(restartDelayMs * 2, restartDelayMsMax)
    })
  }

  run()
  return {
    stop: async () => {
      stopping = true
      clearTimeout(restart)
      const stopped = child
      if (!stopped) return
      const ended = new Promise((resolve) => stopped.once('close', resolve))
      stopped.kill('SIGTERM')
      const impatience = setTimeout(() => {
        print(name, `does not stop; killed after ${stopMsMax / 1_000} s`)
        stopped.kill('SIGKILL')
      }, stopMsMax)
      await ended
      clearTimeout(impatience)
    },
  }
}
