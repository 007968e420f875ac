// Starts the processes that are measured, each with a CPU profile when one is asked for, and stops them all.
import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@headwater/test-kit/free-port'
import { type Answer, type Call, stopWorker, type Tasks } from './worker.ts'

const root = path.join(import.meta.dirname, '../..')
/** An edge projector is ready when it has caught up with a store of a million events. */
const readyMsMax = 240_000
const readyPollMs = 50
const stopMsMax = 15_000
/** For one task of a worker, the longest of which builds a store of a million events. */
const taskMsMax = 240_000
const lastLinesMax = 12

type Service = { readonly stop: () => Promise<void> }

export type Worker<T extends Tasks> = Service & {
  /** @throws when the task failed, was not answered in time, or the process ended: then with how it ended */
  readonly call: <Name extends keyof T & string>(
    name: Name,
    input: Parameters<T[Name]>[0],
  ) => Promise<Awaited<ReturnType<T[Name]>>>
  /** Ends a process that does not listen any more. */
  readonly kill: () => Promise<void>
}

export type Processes = {
  /** A process that answers calls; `script` serves them with `serveTasks`. */
  readonly worker: <T extends Tasks>(script: string) => Worker<T>
  /** The embedded event store on a file of its own. */
  readonly eventStore: (directory: string) => Promise<Service & { readonly url: string }>
  /** A service on the port that `env` names or on a free one of this machine, once it is ready. */
  readonly service: (
    name: string,
    env: Readonly<Record<string, string>>,
  ) => Promise<Service & { readonly url: string; readonly port: number }>
  readonly stopAll: () => Promise<void>
}

type Child = { readonly process: ChildProcess; readonly lastLines: string[]; readonly ended: Promise<string> }

/** Watches what a child says and how it ends; what it said last is the reason to report. */
const watch = (process: ChildProcess): Child => {
  const lastLines: string[] = []
  for (const stream of [process.stdout, process.stderr])
    if (stream)
      createInterface({ input: stream }).on('line', (line) => {
        lastLines.push(line)
        if (lastLines.length > lastLinesMax) lastLines.shift()
      })
  const ended = new Promise<string>((resolve) => {
    process.once('error', (error) => resolve(error.message))
    process.once('close', (code, signal) => {
      const said = lastLines.filter((line) => /error|fatal|cannot/i.test(line)).at(-1) ?? lastLines.at(-1) ?? ''
      resolve(
        `the process ended (${signal ?? `exit code ${code}`})${said === '' ? '' : `: ${said.trim().slice(0, 200)}`}`,
      )
    })
  })
  return { process, lastLines, ended }
}

const stopped = async ({ process, ended }: Child, how: () => void): Promise<void> => {
  if (process.exitCode !== null || process.signalCode !== null) return
  how()
  const impatience = setTimeout(() => process.kill('SIGKILL'), stopMsMax)
  await ended
  clearTimeout(impatience)
}

/** @param profiles the folder for CPU profiles, `<name>.<pid>.cpuprofile`; undefined: none are taken */
export const createProcesses = (profiles?: string): Processes => {
  const all = new Set<() => Promise<void>>()
  const alive = new Set<ChildProcess>()
  // Nobody else would stop them when the bench itself fails.
  const killAll = () => {
    for (const child of alive) child.kill('SIGKILL')
  }
  process.once('exit', killAll)

  const profiling = (name: string): string[] =>
    profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.${all.size}.cpuprofile`] : []

  const adopt = (child: ChildProcess, how: (child: ChildProcess) => void): Child & Service => {
    const watched = watch(child)
    alive.add(child)
    void watched.ended.then(() => alive.delete(child))
    const stop = async () => {
      all.delete(stop)
      await stopped(watched, () => how(child))
    }
    all.add(stop)
    return { ...watched, stop }
  }

  const run = (name: string, script: string, args: readonly string[], env: Readonly<Record<string, string>>) => {
    const options: SpawnOptions = { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }
    return adopt(spawn(process.execPath, [...profiling(name), path.join(root, script), ...args], options), (child) =>
      child.kill('SIGTERM'),
    )
  }

  const patiently = async <T>(what: string, child: Child, look: () => Promise<T | undefined>): Promise<T> => {
    const deadline = Date.now() + readyMsMax
    const failed = child.ended.then((how) => Promise.reject(new Error(`${what}: ${how}`)))
    failed.catch(() => undefined)
    for (;;) {
      const found = await Promise.race([look(), failed])
      if (found !== undefined) return found
      if (Date.now() > deadline)
        throw new Error(`${what} is not ready after ${readyMsMax} ms: ${child.lastLines.at(-1)}`)
      await sleep(readyPollMs)
    }
  }

  return {
    worker: <T extends Tasks>(script: string): Worker<T> => {
      const name = path.basename(script, '.ts')
      const child = adopt(
        fork(path.join(import.meta.dirname, script), [], {
          execArgv: profiling(name),
          serialization: 'advanced',
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        }),
        // Not by letting go of the channel: Node then never tells that the child's output has ended.
        (child) => child.send(stopWorker, () => undefined), // it may be gone already
      )
      let calls = 0
      const call = async (name: string, input: unknown): Promise<unknown> => {
        const id = ++calls
        const answer = new Promise<Answer>((resolve) => {
          const listener = (message: Answer) => {
            if (message.id !== id) return
            child.process.off('message', listener)
            resolve(message)
          }
          child.process.on('message', listener)
        })
        const request: Call = { id, name, input }
        if (child.process.connected) child.process.send(request)
        const late = new AbortController()
        const outcome = await Promise.race([
          answer,
          child.ended,
          sleep(taskMsMax, `${name} was not answered within ${taskMsMax / 1_000} s`, { signal: late.signal }),
        ])
        late.abort()
        if (typeof outcome === 'string') throw new Error(outcome)
        if ('error' in outcome) throw new Error(outcome.error)
        return outcome.value
      }
      const kill = async () => {
        child.process.kill('SIGKILL')
        await child.stop()
      }
      return { call: call as Worker<T>['call'], stop: child.stop, kill }
    },
    eventStore: async (directory) => {
      const script = 'packages/embedded-eventstore/src/main.ts'
      const child = run('eventstore', script, ['--port', '0', '--directory', directory], {})
      const said = await patiently('the event store', child, async () =>
        child.lastLines.find((line) => line.includes('"listening":true')),
      )
      return { url: String(JSON.parse(said).connectionString), stop: child.stop }
    },
    service: async (name, env) => {
      const port = Number(env.PORT ?? (await freePort()))
      const url = `http://127.0.0.1:${port}`
      const child = run(name, `services/${name}/src/main.ts`, [], { LOG_LEVEL: 'warn', ...env, PORT: String(port) })
      await patiently(name, child, async () => {
        const answer = await fetch(`${url}/health/ready`).catch(() => undefined)
        return answer?.ok ? true : undefined
      })
      return { url, port, stop: child.stop }
    },
    stopAll: async () => {
      await Promise.all([...all].map((stop) => stop()))
      process.off('exit', killAll)
    },
  }
}
