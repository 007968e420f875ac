// Watches processes: their memory while they work, and what they hold while nobody asks for anything.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Part } from '@headwater/test-kit/system'
import { activeHandles, openFiles, residentBytes } from './figures.ts'

const sampleEveryMs = 2_000
/** Of the watched time: its first and its last part are compared. */
const windowShare = 0.1
/** What is kept open for whoever comes next is closed within a minute and a half. */
const settleMs = 90_000
const looks = 10
const lookEveryMs = 1_000

/** Connections of a pool come and go also while nobody asks: the fewest and the most of several looks. */
type Held = { readonly fewest: number; readonly most: number }
export type HeldBy = { readonly files: Held; readonly handles: Held }
export type Memory = { readonly first: number; readonly last: number }

const pidOf = (part: Part): number => {
  const pid = part.pid()
  if (pid === undefined) throw new Error(`${part.name} ended by itself:\n${part.output()}`)
  return pid
}

const held = (counts: readonly number[]): Held => ({ fewest: Math.min(...counts), most: Math.max(...counts) })

/** By the name of the part. */
export const heldWhenQuiet = async (
  parts: readonly Part[],
  reportsOf: (part: string) => string,
): Promise<ReadonlyMap<string, HeldBy>> => {
  await sleep(settleMs)
  const seen = new Map(parts.map(({ name }) => [name, { files: [] as number[], handles: [] as number[] }]))
  for (let look = 0; look < looks; look++) {
    for (const part of parts) {
      const counts = seen.get(part.name)
      counts?.files.push(openFiles(pidOf(part)))
      counts?.handles.push(await activeHandles(pidOf(part), reportsOf(part.name)))
    }
    await sleep(lookEveryMs)
  }
  return new Map([...seen].map(([name, { files, handles }]) => [name, { files: held(files), handles: held(handles) }]))
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Samples memory until the answer is called, which compares the beginning with the end: resident bytes, by part. */
export const watchMemory = (parts: readonly Part[]): (() => ReadonlyMap<string, Memory>) => {
  const samples = new Map(parts.map(({ name }) => [name, [] as number[]]))
  const sampling = setInterval(() => {
    for (const part of parts) {
      const pid = part.pid()
      if (pid !== undefined) samples.get(part.name)?.push(residentBytes(pid))
    }
  }, sampleEveryMs)
  return () => {
    clearInterval(sampling)
    return new Map(
      [...samples].map(([name, bytes]) => {
        const count = Math.max(1, Math.round(bytes.length * windowShare))
        return [name, { first: median(bytes.slice(0, count)), last: median(bytes.slice(-count)) }]
      }),
    )
  }
}
