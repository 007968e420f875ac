// What a process has taken of the machine: memory, open files, and what its event loop holds (Linux).
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const reportMsMax = 10_000
const pollMs = 50
/** Nobody else uses it: services stop at most of the others. */
const reportSignal = 'SIGWINCH'
/** What others hold by. The rest are the loop's own, and one timer for all. */
const heldTypes = ['tcp', 'udp', 'pipe', 'tty', 'process', 'fs_event', 'fs_poll', 'poll']

/** Settings with which a Node process tells of itself in a folder when it is signalled. */
export const reporting = (folder: string): Readonly<Record<string, string>> => {
  mkdirSync(folder, { recursive: true })
  const options = [
    '--report-on-signal',
    `--report-signal=${reportSignal}`,
    `--report-directory=${JSON.stringify(folder)}`,
    '--report-compact',
    '--report-exclude-env',
    '--report-exclude-network',
  ]
  return { NODE_OPTIONS: options.join(' ') }
}

/** Resident memory in bytes. */
export const residentBytes = (pid: number): number => {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  if (kibibytes === undefined) throw new Error(`The process ${pid} says nothing of its memory.`)
  return Number(kibibytes) * 1_024
}

export const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

type Handle = { readonly type: string; readonly is_active?: boolean }

/** Undefined while the report is not there, or only half. */
const handlesIn = (folder: string): readonly Handle[] | undefined => {
  const [name] = readdirSync(folder)
  if (name === undefined) return undefined
  try {
    return JSON.parse(readFileSync(path.join(folder, name), 'utf8')).libuv
  } catch {
    return undefined
  }
}

/** How many sockets, pipes and the like are open and in use. @param folder that of {@link reporting} */
export const activeHandles = async (pid: number, folder: string): Promise<number> => {
  for (const name of readdirSync(folder)) rmSync(path.join(folder, name))
  process.kill(pid, reportSignal)
  const giveUpAtMs = performance.now() + reportMsMax
  for (;;) {
    const handles = handlesIn(folder)
    if (handles) return handles.filter(({ type, is_active: isActive }) => isActive && heldTypes.includes(type)).length
    if (performance.now() > giveUpAtMs) throw new Error(`The process ${pid} tells nothing of itself.`)
    await sleep(pollMs)
  }
}
