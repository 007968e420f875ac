// Runs the node as a process that tests can kill.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export type NodeProcess = {
  readonly child: ChildProcess
  readonly port: number
  readonly connectionString: string
  /** kill -9; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; the exit code. */
  stop(): Promise<number>
}

/**
 * Starts it on any free port, for the running test.
 * @param command a wrapper that runs Node.js
 * @param options of the node
 * @throws its stderr, when it ends instead of listening
 */
export const startNode = async (
  directory: string,
  { command = [process.execPath], options = [] }: { command?: string[]; options?: string[] } = {},
): Promise<NodeProcess> => {
  const [program = '', ...before] = command
  const child = spawn(program, [...before, main, '--port', '0', '--directory', directory, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'close').then(() => Promise.reject(new Error(`The node ended: ${said.trim()}`))),
  ])
  const listening: { port: number; connectionString: string } = JSON.parse(String(line))
  return {
    child,
    ...listening,
    kill: async () => {
      child.kill('SIGKILL')
      await exit
    },
    stop: async () => {
      child.kill('SIGTERM')
      const [code] = await exit
      return code
    },
  }
}
